/// How a base image is made: a file of `Images/`, checked, with all defaults filled in.
///
/// Read as strictly as a recipe; the Builder runs it.
public struct BaseDefinition: Sendable, Hashable {
    /// What `mmdebstrap` is asked for.
    public struct Debian: Sendable, Hashable {
        public enum Variant: String, Sendable, CaseIterable { case essential, apt, minbase, important, standard }

        /// Such as `bookworm`.
        public internal(set) var suite = ""
        public internal(set) var variant = Variant.minbase
        public internal(set) var packages: [String] = []
    }

    public internal(set) var name = ""
    public internal(set) var description: String?
    public internal(set) var debian = Debian()
    /// Bytes of the disk; what is not used costs nothing.
    public internal(set) var disk: Int64 = 16 << 30
    /// Bytes of the file system's journal.
    public internal(set) var journal: Int64 = 16 << 20

    /// Everything that the image depends on, in one spelling: what a base's key is taken over.
    public var canonical: String {
        CanonicalJSON.object([
            "suite": debian.suite, "variant": debian.variant.rawValue, "packages": CanonicalJSON.array(debian.packages.sorted()),
            "disk": String(disk), "journal": String(journal),
        ])
    }

    /// Reads a definition.
    ///
    /// - Parameter file: its name for diagnostics.
    /// - Throws: ``RecipeDiagnostics`` with every problem.
    public static func parse(_ text: String, file: String) throws -> BaseDefinition {
        let source = RecipeSource(file: file, text: text)
        let decoder = RecipeDecoder(source)
        let definition = decoder.baseDefinition(try source.root())
        if decoder.hasErrors { throw RecipeDiagnostics(decoder.sorted) }
        return definition
    }
}

extension RecipeSchema {
    static let baseDefinition = RecipeSchema(
        noun: "a base",
        keys: [
            Key(name: "version", shape: "1", isRequired: true), Key(name: "name", shape: "a name", isRequired: true),
            Key(name: "description", shape: "text"), Key(name: "debian", shape: "{ suite, variant, packages }", isRequired: true),
            Key(name: "disk", shape: "a size"), Key(name: "journal", shape: "a size"),
        ])
    static let debian = RecipeSchema(
        noun: "`debian`",
        keys: [
            Key(name: "suite", shape: "a Debian suite such as bookworm", isRequired: true), Key(name: "variant", shape: "minbase"),
            Key(name: "packages", shape: "a list of packages"),
        ])
}

extension RecipeDecoder {
    func baseDefinition(_ root: SourceNode) -> BaseDefinition {
        var definition = BaseDefinition()
        guard let fields = fields(root, .baseDefinition, "") else { return definition }
        _ = fields.value("version", "1, the only version so far") { $0 == "1" ? 1 : nil }
        definition.name = fields.name("name") ?? ""
        definition.description = fields.text("description")
        if let node = fields.node("debian"), let debian = self.fields(node, .debian, "debian") {
            definition.debian.suite = debian.name("suite") ?? ""
            definition.debian.variant = debian.choice("variant", BaseDefinition.Debian.Variant.self) ?? .minbase
            definition.debian.packages = debian.list("packages").compactMap { item in
                value(item.node, item.path, expected: "a Debian package's name") {
                    $0.wholeMatch(of: /[a-z0-9][a-z0-9.+-]+/) != nil ? $0 : nil
                }
            }
        }
        definition.disk = fields.size("disk", (1 << 30)...(64 << 40), "from 1GiB to 64TiB") ?? definition.disk
        definition.journal = fields.size("journal", (4 << 20)...(1 << 30), "from 4MiB to 1GiB") ?? definition.journal
        return definition
    }
}
