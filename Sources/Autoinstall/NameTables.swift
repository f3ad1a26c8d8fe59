/// What other formats call things, and what those are here.
enum NameTables {
    private static let table = YAMLTable.read(PackageResources.names_yaml, "names.yaml")

    /// A container image's name -> a language.
    static let images = table["images"]?.textByKey ?? [:]
    /// A tool of a version file -> a language.
    static let tools = table["tools"]?.textByKey ?? [:]
    static let toolPackages = table["tool-packages"]?.textByKey ?? [:]
    static let nix = table["nix"]?.textsByKey ?? [:]
    static let brew = table["brew"]?.textsByKey ?? [:]

    struct Action: Sendable {
        let tool: String
        let input: String
        let file: String?
        let also: (tool: String, input: String)?
    }

    static let actions: [String: Action] = Dictionary(
        (table["actions"]?.entries ?? []).compactMap { name, node in
            guard let tool = node["tool"]?.text, let input = node["input"]?.text else { return nil }
            let also = node["also"]?.text.flatMap { tool in node["also-input"]?.text.map { (tool, $0) } }
            return (name, Action(tool: tool, input: input, file: node["file"]?.text, also: also))
        }
    ) { $1 }

    struct Feature: Sendable {
        let language: String?
        let packages: [String]
        let service: String?
        /// The option that lists Debian packages.
        let input: String?
    }

    static let features: [String: Feature] = Dictionary(
        (table["features"]?.entries ?? []).map { name, node in
            (
                name,
                Feature(
                    language: node["language"]?.text, packages: node["packages"]?.texts.map(\.text) ?? [], service: node["service"]?.text,
                    input: node["input"]?.text)
            )
        }
    ) { $1 }
}
