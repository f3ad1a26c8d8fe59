/// A table that this program was built with: nested keys, with texts and lists of texts at their ends.
enum YAMLTable {
    static func read(_ bytes: [UInt8], _ name: StaticString) -> DataNode {
        do { return try YAMLText.read(SourceText(path: "\(name)", bytes: bytes)) } catch { preconditionFailure("the table \(name) cannot be read: \(error)") }
    }
}

extension DataNode {
    /// `{ a: b, c: d }`.
    var textByKey: [String: String] { Dictionary(entries.compactMap { entry in entry.value.text.map { (entry.key, $0) } }) { $1 } }
    /// `{ a: [b, c], d: e }`.
    var textsByKey: [String: [String]] { Dictionary(entries.map { ($0.key, $0.value.texts.map(\.text)) }) { $1 } }
}
