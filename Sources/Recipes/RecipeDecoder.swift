/// Reads nodes by a schema and collects every problem; what cannot be read is nil, and reading goes on.
package final class RecipeDecoder {
    let files: RecipeFiles
    private(set) var diagnostics: [Diagnostic] = []
    /// Values that are told to be wrong already, and places of them.
    private var muted: Set<SourceLocation> = []
    /// Only what each value is for itself is told, not what stands twice: for parts that are not in force.
    var isApart = false
    fileprivate(set) var locations: [String: SourceLocation] = [:]

    /// The texts that were read, by dotted path and by place.
    private(set) var texts: [String: String] = [:]
    private(set) var names: [SourceLocation: String] = [:]

    /// What `packages` can name.
    let managers: ManagerCatalog

    init(_ files: RecipeFiles, managers: ManagerCatalog = ManagerCatalog(folder: "")) { (self.files, self.managers) = (files, managers) }

    package convenience init(_ source: RecipeSource) { self.init(RecipeFiles(source)) }

    /// Nothing more is told of the value at this place.
    func mute(_ location: SourceLocation) { muted.insert(location) }

    package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    /// In the order of the files, what is of none (`--set`) last; equal ones once.
    package var sorted: [Diagnostic] {
        var seen: Set<Diagnostic> = []
        return diagnostics.filter { seen.insert($0).inserted }.enumerated().sorted { a, b in
            let x = (files.rank(a.element.file), a.element.line, a.element.column, a.offset)
            let y = (files.rank(b.element.file), b.element.line, b.element.column, b.offset)
            return x < y
        }.map(\.element)
    }

    package func report(
        _ location: SourceLocation, _ message: String, expected: String? = nil, nearest: String? = nil,
        severity: Diagnostic.Severity = .error
    ) {
        if muted.contains(location) { return }
        let line = files.line(at: location)
        diagnostics.append(
            Diagnostic(severity, at: location, message, expected: expected, nearest: nearest, source: line))
    }

    func add(_ diagnostic: Diagnostic) { diagnostics.append(diagnostic) }

    package func wrongType(_ node: SourceNode, _ path: String, expected: String) {
        report(node.location, "`\(path)` is \(node.found)", expected: expected)
    }

    /// The mapping's fields; unknown, repeated and missing keys are told here.
    package func fields(_ node: SourceNode, _ schema: RecipeSchema, _ path: String) -> Fields? {
        locations[path] = node.location
        guard case .map(let entries) = node.value else {
            report(
                node.location, path.isEmpty ? "the recipe is \(node.found)" : "`\(path)` is \(node.found)",
                expected: "a mapping with: \(schema.allowed)")
            return nil
        }
        var values: [String: SourceNode] = [:]
        for entry in entries {
            if entry.isRepeated || values[entry.key] != nil {
                report(entry.location, "`\(entry.key)` stands twice in \(schema.noun)", expected: "each key once")
            } else if schema.keys.contains(where: { $0.name == entry.key }) {
                values[entry.key] = entry.value
            } else if let instead = schema.later[entry.key] {
                report(
                    entry.location, "`\(entry.key)` in \(schema.noun) is not built yet in this version",
                    expected: "for now, \(instead)")
            } else {
                report(
                    entry.location, "unknown key `\(entry.key)` in \(schema.noun)", expected: schema.allowed,
                    nearest: Spelling.nearest(to: entry.key, among: schema.keys.map(\.name)))
            }
        }
        for key in schema.keys where key.isRequired && values[key.name] == nil {
            report(node.location, "\(schema.noun) needs `\(key.name)`", expected: "\(key.name): \(key.shape)")
        }
        return Fields(decoder: self, schema: schema, path: path, values: values, location: node.location)
    }

    package func text(_ node: SourceNode, _ path: String, expected: String) -> String? {
        locations[path] = node.location
        guard case .scalar(let text, _) = node.value, !node.isNull, !text.trimmed.isEmpty else {
            if case .scalar(_, plain: false) = node.value {
                report(node.location, "`\(path)` is empty", expected: expected)
            } else {
                wrongType(node, path, expected: expected)
            }
            return nil
        }
        if text.unicodeScalars.contains("\0") {
            report(node.location, "`\(path)` holds a zero character", expected: expected)
            return nil
        }
        texts[path] = text
        names[node.location] = text
        return text
    }

    package func list(_ node: SourceNode, _ path: String, expected: String) -> [(node: SourceNode, path: String)] {
        locations[path] = node.location
        guard case .list(let items) = node.value else {
            wrongType(node, path, expected: expected)
            return []
        }
        return items.enumerated().map { ($0.element, "\(path).\($0.offset)") }
    }

    /// A scalar that `read` understands.
    package func value<T>(
        _ node: SourceNode, _ path: String, expected: String, nearest: (String) -> String? = { _ in nil },
        _ read: (String) -> T?
    ) -> T? {
        guard let text = text(node, path, expected: expected) else { return nil }
        if let value = read(text) { return value }
        report(
            node.location, "`\(path)` is \(node.found)", expected: expected,
            nearest: nearest(text).flatMap { $0 == text ? nil : $0 })
        return nil
    }

    package func choice<T: RawRepresentable & CaseIterable>(_ node: SourceNode, _ path: String, _: T.Type) -> T?
    where T.RawValue == String {
        let names = T.allCases.map(\.rawValue)
        return value(
            node, path, expected: names.joined(separator: ", "), nearest: { Spelling.nearest(to: $0, among: names) },
            { T(rawValue: $0) })
    }
}

/// The fields of one mapping, by name.
package struct Fields {
    let decoder: RecipeDecoder
    let schema: RecipeSchema
    let path: String
    let values: [String: SourceNode]
    package let location: SourceLocation

    package func node(_ key: String) -> SourceNode? { values[key] }

    package func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func shape(_ key: String) -> String { schema.keys.first { $0.name == key }?.shape ?? "a value" }

    package func text(_ key: String) -> String? {
        node(key).flatMap { decoder.text($0, path(key), expected: shape(key)) }
    }

    package func value<T>(
        _ key: String, _ expected: String, nearest: (String) -> String? = { _ in nil }, _ read: (String) -> T?
    ) -> T? {
        node(key).flatMap { decoder.value($0, path(key), expected: expected, nearest: nearest, read) }
    }

    package func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) -> T? where T.RawValue == String {
        node(key).flatMap { decoder.choice($0, path(key), type) }
    }

    package func list(_ key: String) -> [(node: SourceNode, path: String)] {
        node(key).map { decoder.list($0, path(key), expected: shape(key)) } ?? []
    }

    package func flag(_ key: String) -> Bool? {
        value(key, "true or false") { ["true": true, "false": false][$0] }
    }

    func size(_ key: String, _ range: ClosedRange<Int64>, _ limits: String) -> Int64? {
        value(key, "a size such as 512MiB or 2GiB, \(limits)", nearest: Quantities.nearestSize) {
            Quantities.bytes($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func duration(_ key: String) -> Duration? {
        value(key, "a duration such as 30s, 5m or 1h30m") { Quantities.duration($0) }
    }

    package func user(_ key: String) -> String? {
        value(key, "a user of the machine: a name or a number, with :group if need be") {
            Quantities.isUser($0) ? $0 : nil
        }
    }

    package func name(_ key: String) -> String? {
        value(
            key, "small letters, digits, `.`, `_` and `-`, beginning with a letter or digit, at most 63",
            nearest: { text in
                let near = text.trimmed.lowercased().replacing(" ", with: "-")
                return Quantities.isName(near) && near != text ? near : nil
            },
            { Quantities.isName($0) ? $0 : nil })
    }

    package func title(_ key: String) -> String? {
        value(key, "letters, digits, spaces and `. _ + -`, beginning with a letter or digit, at most 63") {
            Quantities.isTitle($0) ? $0 : nil
        }
    }

    /// An absolute path in the machine.
    func machinePath(_ key: String) -> String? {
        guard let node = node(key), let text = decoder.text(node, path(key), expected: shape(key)) else { return nil }
        guard let problem = Quantities.machinePathProblem(text) else { return text }
        decoder.report(
            node.location, "`\(path(key))` is `\(text)`: \(problem)", expected: "an absolute path in the machine")
        return nil
    }

    package func environment(_ key: String) -> [String: String] {
        guard let node = node(key) else { return [:] }
        let path = path(key)
        decoder.noteLocation(path, node.location)
        guard case .map(let entries) = node.value else {
            decoder.wrongType(node, path, expected: "a mapping such as { PGHOST: localhost }")
            return [:]
        }
        var values: [String: String] = [:]
        for entry in entries {
            if entry.isRepeated || values[entry.key] != nil {
                decoder.report(entry.location, "`\(entry.key)` stands twice in `\(path)`", expected: "each name once")
                continue
            }
            if !Quantities.isVariable(entry.key) {
                decoder.report(
                    entry.location, "`\(entry.key)` cannot be a variable's name",
                    expected: "letters, digits and `_`, not beginning with a digit")
                continue
            }
            guard case .scalar(let text, let plain) = entry.value.value, !(plain && entry.value.isNull) else {
                decoder.wrongType(
                    entry.value, "\(path).\(entry.key)", expected: "a value (\"\" for an empty one)")
                continue
            }
            if text.contains("$\(entry.key)") {
                decoder.report(
                    entry.value.location, "values are literal: `$\(entry.key)` is not replaced by its value here",
                    severity: .warning)
            }
            decoder.noteLocation("\(path).\(entry.key)", entry.value.location)
            values[entry.key] = text
        }
        return values
    }
}

extension RecipeDecoder {
    func noteLocation(_ path: String, _ location: SourceLocation) { locations[path] = location }
}
