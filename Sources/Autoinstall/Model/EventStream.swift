/// Server-sent events, in whatever pieces they come; WHATWG HTML, section 9.2.6.
struct EventStream {
    struct Event: Equatable {
        var name: String
        var data: String
    }

    /// A longer line is no event of a model.
    private static let limit = 1 << 20

    private var line: [UInt8] = []
    private var name = ""
    private var data: [String] = []
    private var endedWithReturn = false

    /// Calls `event` for each event that is whole.
    ///
    /// - Throws: ``AutoinstallError`` `modelAnswer` for a line without end, and what `event` throws.
    mutating func take(_ bytes: some Sequence<UInt8>, _ event: (Event) throws -> Void) throws {
        for byte in bytes {
            // A line ends with a return, a line feed, or both.
            if byte == 10, endedWithReturn {
                endedWithReturn = false
                continue
            }
            endedWithReturn = byte == 13
            if byte == 10 || byte == 13 {
                if let whole = endLine() { try event(whole) }
            } else {
                line.append(byte)
                if line.count > Self.limit { throw AutoinstallError("modelAnswer", "the model's answer has a line of more than \(Self.limit) bytes") }
            }
        }
    }

    private mutating func endLine() -> Event? {
        defer { line = [] }
        if line.isEmpty {
            defer { (name, data) = ("", []) }
            return data.isEmpty ? nil : Event(name: name, data: data.joined(separator: "\n"))
        }
        let text = String(decoding: line, as: UTF8.self)
        let field = text.prefix { $0 != ":" }
        var value = text.dropFirst(field.count + 1)
        if value.hasPrefix(" ") { value = value.dropFirst() }
        switch field {
        case "event": name = String(value)
        case "data": data.append(String(value))
        // Comments, which keep the connection open, ids and times.
        default: break
        }
        return nil
    }
}
