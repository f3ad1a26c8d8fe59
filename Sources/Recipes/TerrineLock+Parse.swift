extension TerrineLock {
    /// Reads a lock as strictly as a recipe.
    static func parse(_ text: String, file: String) throws -> TerrineLock {
        if let number = text.split(separator: "\n", omittingEmptySubsequences: false).firstIndex(where: { $0.hasPrefix("<<<<<<< ") }) {
            throw RecipeDiagnostics([
                Diagnostic(
                    at: SourceLocation(file: file, line: number + 1, column: 1), "a merge left both sides of a conflict here",
                    expected: "one of them; or remove the file, and `terrine build` makes it anew",
                    source: String(text.split(separator: "\n", omittingEmptySubsequences: false)[number]))
            ])
        }
        let source = RecipeSource(file: file, text: text)
        let decoder = RecipeDecoder(source)
        var lock = TerrineLock()
        if let fields = decoder.fields(try source.root(), .lock, "") {
            _ = fields.value("version", "1, the only version so far") { $0 == "1" ? 1 : nil }
            for (name, node) in decoder.entries(fields.node("images"), "images") {
                for (architecture, node) in decoder.entries(node, "images.\(name)") {
                    lock[name, architecture] = decoder.lockEntry(node, "images.\(name).\(architecture)")
                }
            }
        }
        if decoder.hasErrors { throw RecipeDiagnostics(decoder.sorted) }
        return lock
    }
}

extension RecipeSchema {
    private static func key(_ name: String, _ shape: String, required: Bool = false) -> Key { Key(name: name, shape: shape, isRequired: required) }
    private static let advice = "or remove the file: `terrine build` makes it anew"

    static let lock = RecipeSchema(noun: "a lock", keys: [key("version", "1", required: true), key("images", "a mapping")], advice: advice)
    static let lockEntry = RecipeSchema(
        noun: "a lock's entry", keys: [key("base", "{ asked, indices, packages }"), key("packages", "a mapping"), key("repositories", "a mapping")],
        advice: advice)
    static let resolution = RecipeSchema(
        noun: "what was resolved", keys: [key("asked", "a digest", required: true), key("indices", "a list"), key("packages", "a list")], advice: advice)
    static let lockedCommit = RecipeSchema(
        noun: "a locked repository", keys: [key("url", "text", required: true), key("ref", "text", required: true), key("commit", "a commit", required: true)],
        advice: advice)
}

extension RecipeDecoder {
    /// The entries of a mapping with keys of its own.
    func entries(_ node: SourceNode?, _ path: String) -> [(String, SourceNode)] {
        guard let node, !node.isNull else { return [] }
        guard case .map(let entries) = node.value else {
            wrongType(node, path, expected: "a mapping")
            return []
        }
        for entry in entries where entry.isRepeated { report(entry.location, "`\(entry.key)` stands twice in `\(path)`", expected: "each key once") }
        return entries.map { ($0.key, $0.value) }
    }

    fileprivate func lockEntry(_ node: SourceNode, _ path: String) -> TerrineLock.Entry {
        var entry = TerrineLock.Entry()
        guard let fields = fields(node, .lockEntry, path) else { return entry }
        if let node = fields.node("base") { entry.base = resolution(node, fields.path("base")) }
        for (manager, node) in entries(fields.node("packages"), fields.path("packages")) {
            entry.packages[manager] = resolution(node, fields.path("packages") + ".\(manager)")
        }
        for (place, node) in entries(fields.node("repositories"), fields.path("repositories")) {
            guard let fields = self.fields(node, .lockedCommit, fields.path("repositories") + ".\(place)") else { continue }
            let commit = fields.value("commit", "a full commit") { GitRepository.isCommit($0) ? $0 : nil }
            entry.repositories[place] = .init(url: fields.text("url") ?? "", ref: fields.text("ref") ?? "", commit: commit ?? "")
        }
        return entry
    }

    private func resolution(_ node: SourceNode, _ path: String) -> TerrineLock.Resolution? {
        guard let fields = fields(node, .resolution, path) else { return nil }
        func texts(_ key: String) -> [String] { fields.list(key).compactMap { text($0.node, $0.path, expected: "text") } }
        let asked = fields.value("asked", "a digest: 64 hexadecimal digits") { $0.wholeMatch(of: /[0-9a-f]{64}/) != nil ? $0 : nil }
        return asked.map { .init(asked: $0, packages: texts("packages"), indices: texts("indices")) }
    }
}
