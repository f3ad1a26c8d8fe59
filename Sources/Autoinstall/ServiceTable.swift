/// Services that repositories talk to: how they are told, and what stands for them in a machine.
public struct ServiceTable: Sendable {
    public struct Service: Sendable {
        /// `postgresql`.
        public let name: String
        /// `PostgreSQL`.
        public let title: String
        let images: Set<String>
        let urls: Set<String>
        let variables: Set<String>
        let modules: Set<String>
        /// Debian packages of a local one; empty where there is none.
        public let packages: [String]
        public let run: String?
        public let ready: String?
        let userReady: String?
        let databaseReady: String?
        public let timeout: String?
        public let env: [String: String]
        /// Exits 0 when it answers.
        public let probe: String?
        let defaults: [String: String]

        /// Nothing in Debian can stand for it.
        public var isAbsent: Bool { run == nil }
    }

    /// In the order of the table.
    public let services: [Service]

    public static let known = ServiceTable(YAMLTable.read(PackageResources.services_yaml, "services.yaml"))

    private init(_ table: DataNode) {
        services = (table["services"]?.entries ?? []).map { name, node in
            func words(_ key: String) -> Set<String> { Set(node[key]?.texts.map(\.text) ?? []) }
            return Service(
                name: name, title: node["title"]?.text ?? name, images: words("images"), urls: words("urls"), variables: words("variables"),
                modules: words("modules"), packages: node["packages"]?.texts.map(\.text) ?? [], run: node["run"]?.text, ready: node["ready"]?.text,
                userReady: node["user-ready"]?.text, databaseReady: node["database-ready"]?.text, timeout: node["timeout"]?.text,
                env: node["env"]?.textByKey ?? [:], probe: node["probe"]?.text, defaults: node["defaults"]?.textByKey ?? [:])
        }
    }

    public subscript(_ name: String) -> Service? { services.first { $0.name == name } }

    /// By a container image: `postgres:15-alpine`, `registry.example.com/x/redis`.
    func forImage(_ image: String) -> Service? {
        let path = image.split(separator: "@").first.map(String.init) ?? image
        let last = path.split(separator: "/").last.map(String.init) ?? path
        let name = last.split(separator: ":").first.map { $0.lowercased() } ?? last
        return services.first { $0.images.contains(name) }
    }

    /// By a connection string: `postgres://user:password@host/database`, with what it says.
    func forURL(_ text: String) -> ServiceUse? {
        guard let match = Self.url.firstMatch(text), let scheme = match[1], let service = services.first(where: { $0.urls.contains(scheme) }) else {
            return nil
        }
        func name(_ text: String?) -> String? { text.flatMap { Self.plainName.isFound(in: $0) ? $0 : nil } }
        let database = service.databaseReady == nil ? nil : name(match[4])
        return ServiceUse(service.name, database: database, user: name(match[2]), password: name(match[3]))
    }

    func forVariable(_ name: String) -> Service? { services.first { $0.variables.contains(name) } }

    func forModule(_ name: String) -> Service? { services.first { $0.modules.contains(name.lowercased()) } }

    private static let url = Pattern(known: #"\b((?:jdbc:)?[a-z][a-z0-9+]+)://(?:([^:/@\s"'$]*)(?::([^@/\s"']*))?@)?[^/\s"'?#,;<>]*(?:/([A-Za-z0-9_-]+))?"#)
    private static let plainName = Pattern(known: #"^[A-Za-z0-9_][A-Za-z0-9_-]*$"#)

    /// Whether a name can stand in a script of the table as it is.
    static func isPlain(_ name: String) -> Bool { plainName.isFound(in: name) && name.utf8.count <= 60 }
}
