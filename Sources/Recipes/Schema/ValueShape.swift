/// What kind of value a key takes, by the words that its ``RecipeSchema/Key/shape`` uses: those of the diagnostics are the types of the schema.
indirect enum ValueShape: Sendable {
    /// Nothing is known but to the decoder.
    case any
    /// One value; a pattern holds for what is written as text, and a variable may stand in it anywhere.
    case scalar(pattern: String?)
    case list(ValueShape)
    case mapping(RecipeSchema)
    /// Names of the user's own.
    case names(ValueShape)
    case either([ValueShape])
    case when
    /// An entry of a package list, which may have a condition.
    case package

    private static let size = #"[0-9]+(\.[0-9]+)?(KiB|MiB|GiB|TiB)"#
    private static let duration = "([0-9]{1,9}(d|h|m|s|ms))+"
    private static let machinePath = "/.+"
    private static func oneOrMore(_ shape: ValueShape) -> ValueShape { .either([shape, .list(shape)]) }
    private static let text = ValueShape.scalar(pattern: nil)

    /// Places whose words are too short to tell.
    private static func known(_ path: String) -> ValueShape? {
        switch path {
        case "extends": .either([text, .mapping(.extends)])
        case "include": oneOrMore(.either([text, .mapping(.include)]))
        case "variables": .names(.either([text, .mapping(.variable)]))
        case "matrix": .names(.list(.any))
        case "resources": .mapping(.resources)
        case "packages": .mapping(.packages)
        case let path where path.hasPrefix("packages.") && path.split(separator: ".").count == 2: manager(String(path.dropFirst("packages.".count)))
        case "files": .list(.mapping(.file))
        case "workspace": .mapping(.workspace)
        case "repositories": .list(.mapping(.repository))
        case "steps": .list(.mapping(.step))
        case "steps.secrets": .list(.either([text, .mapping(.stepSecret)]))
        case "steps.caches": .list(.either([text, .mapping(.cache)]))
        case "services": .list(.mapping(.service))
        case "checks": .list(.mapping(.check))
        case "checks.expect": .mapping(.expect)
        case "checks.expect.output": .mapping(.output)
        case "stand_ins": .list(.mapping(.standIn))
        case "network": .mapping(.network)
        case "prewarm": .mapping(.prewarm)
        case "version": .scalar(pattern: "1")
        case "variables.type": .scalar(pattern: Variable.Kind.allCases.map(\.rawValue).joined(separator: "|"))
        default: nil
        }
    }

    private static func manager(_ name: String) -> ValueShape? {
        // Those that are built in can be read; a test does.
        guard let manager = try? ManagerCatalog(folder: "").find(name) else { return nil }
        let mapping = ValueShape.mapping(RecipeDecoder.schema(of: manager))
        return manager.items == nil ? mapping : .either([.list(.package), mapping])
    }

    init(of key: RecipeSchema.Key, at path: String) {
        if let known = Self.known(path) {
            self = known
            return
        }
        switch key.shape {
        case "a name" where path == "name" || path.hasPrefix("services"): self = .scalar(pattern: "[a-z0-9][a-z0-9._-]{0,62}")
        case "a size": self = .scalar(pattern: Self.size)
        case "a duration": self = .scalar(pattern: Self.duration)
        case "true or false": self = .scalar(pattern: "true|false")
        case "none or open": self = .scalar(pattern: "none|open")
        case "never, on-failure or always": self = .scalar(pattern: "never|on-failure|always")
        case "an octal mode": self = .scalar(pattern: "[0-7]{3,4}")
        case "an absolute path", "an absolute path in the machine", "an absolute path in the image": self = .scalar(pattern: Self.machinePath)
        case "a user": self = .scalar(pattern: "[a-z_][a-z0-9_-]{0,31}(:[a-z_][a-z0-9_-]{0,31})?|[0-9]{1,9}(:[0-9]{1,9})?")
        case "a mapping of names to values": self = .names(Self.text)
        case "a mapping of arch and variables to values": self = .when
        case let shape where shape.hasPrefix("a list of {"): self = .any
        case let shape where shape.hasPrefix("a list of "): self = .list(.either([Self.text, .any]))
        case let shape where shape.contains("list") || shape.contains("mapping") || shape.hasPrefix("{"): self = .any
        default: self = Self.text
        }
    }

    func json(_ path: String) -> JSONValue {
        switch self {
        case .any: return .object([:])
        case .scalar(let pattern):
            var object: [String: JSONValue] = ["type": .list([.text("string"), .text("number"), .text("boolean")])]
            if let pattern { object["pattern"] = .text("^(\(pattern))$|\\$\\{") }
            return .object(object)
        case .list(let inner): return .object(["type": .text("array"), "items": inner.json(path)])
        case .mapping(let schema): return .object(JSONSchema.mapping(schema, path))
        case .names(let inner): return .object(["type": .text("object"), "additionalProperties": inner.json(path)])
        case .either(let shapes): return .object(["anyOf": .list(shapes.map { $0.json(path) })])
        case .when: return .object(["$ref": .text("#/$defs/when")])
        case .package:
            let names = ValueShape.either([Self.text, .list(Self.text)]).json(path)
            let conditional = JSONValue.object([
                "type": .text("object"), "additionalProperties": .bool(false), "required": .list([.text("name"), .text("when")]),
                "properties": .object(["name": names, "when": ValueShape.when.json(path)]),
            ])
            return .object(["anyOf": .list([Self.text.json(path), conditional])])
        }
    }
}
