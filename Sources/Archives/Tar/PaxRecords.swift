/// The records of a PAX extended header: `LENGTH KEYWORD=VALUE\n`, each.
///
/// Source: POSIX.1-2017 pax, "pax Extended Header".
struct PaxRecords {
    private(set) var records: [(key: String, value: [UInt8])] = []

    init() {}

    /// - Throws: ``TarHeader/Fault``.
    init(parsing bytes: [UInt8]) throws {
        var rest = bytes[...]
        // Some writers fill the block with zeroes.
        while let first = rest.first, first != 0 {
            guard let blank = rest.prefix(20).firstIndex(of: 32), let length = Self.decimal(rest[rest.startIndex..<blank]), length > 0,
                length <= Int64(rest.count)
            else { throw TarHeader.Fault(text: "an extended header holds a record without its length") }
            let end = rest.startIndex + Int(length)
            guard blank + 1 < end, rest[end - 1] == 10, let equals = rest[(blank + 1)..<end].firstIndex(of: UInt8(ascii: "=")), equals > blank + 1 else {
                throw TarHeader.Fault(text: "an extended header holds a record that is none")
            }
            guard let key = String(validating: rest[(blank + 1)..<equals], as: UTF8.self) else {
                throw TarHeader.Fault(text: "an extended header holds a keyword that is no text")
            }
            records.append((key, Array(rest[(equals + 1)..<(end - 1)])))
            if records.count > 20_000 { throw TarHeader.Fault(text: "an extended header holds more than 20,000 records") }
            rest = rest[end...]
        }
    }

    /// The last record of that name counts.
    subscript(key: String) -> [UInt8]? { records.last { $0.key == key }?.value }

    /// A record of decimal digits.
    func number(_ key: String) throws -> Int64? {
        guard let value = self[key], !value.isEmpty else { return nil }
        guard let number = Self.decimal(value[...]) else { throw TarHeader.Fault(text: "its `\(key)` is no number") }
        return number
    }

    mutating func append(_ key: String, _ value: [UInt8]) { records.append((key, value)) }
    mutating func append(_ other: PaxRecords) { records += other.records }

    /// Every record, in the order in which it was added.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for (key, value) in records {
            let rest = key.utf8.count + value.count + 3
            // The length counts its own digits.
            var length = rest + String(rest).count
            if rest + String(length).count != length { length = rest + String(length).count }
            bytes += Array("\(length) \(key)=".utf8) + value + [10]
        }
        return bytes
    }

    static func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (48..<58).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - 48)
        }
        return value
    }
}
