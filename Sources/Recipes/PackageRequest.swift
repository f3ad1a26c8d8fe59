extension Recipe {
    /// What one package manager is to install.
    public struct PackageRequest: Hashable, Sendable {
        public internal(set) var manager: PackageManager
        public internal(set) var packages: [String] = []
        /// A folder of the workspace that holds the manager's own files; nil: none.
        public internal(set) var project: String?
        /// A URL, or a folder beside the recipe.
        public internal(set) var registry: String?
        /// The manager's own keys as written; defaults are not among them.
        public internal(set) var options: [String: [String]] = [:]

        init(_ manager: PackageManager) { self.manager = manager }

        /// A key's values: as written, else the manager's default.
        public func values(_ key: String) -> [String] { options[key] ?? manager.key(key)?.fallback.map { [$0] } ?? [] }

        /// Files beside the recipe that it names, for one of the manager's keys.
        public var files: [String] { manager.keys.filter { $0.kind == .files }.flatMap { values($0.name) } }

        /// The registry is a folder beside the recipe.
        var registryIsFolder: Bool { registry.map { !$0.contains("://") } ?? false }

        /// `${key}` replaced by that key's value.
        func filled(_ text: String) -> String {
            manager.keys.reduce(text) { $0.replacing("${\($1.name)}", with: values($1.name).joined(separator: " ")) }
        }
    }

    /// What package managers install: a layer each, in this order.
    public struct Packages: Hashable, Sendable {
        public internal(set) var requests: [PackageRequest] = []

        public subscript(manager: String) -> PackageRequest? { requests.first { $0.manager.name == manager } }
        public var isEmpty: Bool { requests.isEmpty }
    }
}
