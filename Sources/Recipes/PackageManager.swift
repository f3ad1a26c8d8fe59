/// How one package manager installs, lists and locks: a file `Managers/NAME.yaml`, checked.
///
/// Managers are data, so that a user adds one without touching this program; `Docs/managers.md` says how.
public struct PackageManager: Hashable, Sendable {
    /// A key that a recipe may write for this manager.
    public struct Key: Hashable, Sendable {
        public enum Kind: String, Sendable, CaseIterable {
            /// An absolute path in the machine.
            case path
            /// One text.
            case text
            /// One text, or a list of them.
            case words
            /// A file beside the recipe, or a list of them: inputs of the layer.
            case files
        }

        public internal(set) var name: String
        public internal(set) var kind = Kind.text
        /// What its value looks like, for a diagnostic.
        public internal(set) var shape = "text"
        public internal(set) var fallback: String?
        /// What a whole value must match; nil: anything.
        public internal(set) var pattern: String?
        /// Options by which such a file names others, which are inputs too: `-r`, `--requirement`.
        public internal(set) var includes: [String] = []
    }

    /// The files of a project that the manager installs for, its own lock file among them.
    public struct Project: Hashable, Sendable {
        public enum Place: String, Sendable, CaseIterable {
            /// Away from the workspace, gone when the layer is made.
            case apart
            /// Where they will be in the workspace: what is installed lies beside them.
            case workspace
        }

        public internal(set) var required: [String] = []
        /// Globs.
        public internal(set) var optional: [String] = []
        public internal(set) var place = Place.apart
    }

    /// A folder that lives on between builds.
    public struct CacheMount: Hashable, Sendable {
        public internal(set) var name: String
        public internal(set) var variable: String?
        /// Recipes share it: right only where what is taken from it is checked.
        public internal(set) var isShared = false
        /// Several builds may use it at a time.
        public internal(set) var isConcurrent = false
    }

    public internal(set) var name = ""
    public internal(set) var description: String?
    /// Nobody has tried it against its real registry.
    public internal(set) var isUntested = false
    /// Layers are made in this order.
    public internal(set) var order = 100
    /// What must be in the machine: one of these.
    public internal(set) var programs: [String] = []
    /// How to get it there.
    public internal(set) var provide: String?
    /// What one package of a list looks like, and must match; nil: no lists.
    public internal(set) var items: (shape: String, pattern: String)? {
        get { itemShape.map { ($0, itemPattern ?? ".*") } }
        set { (itemShape, itemPattern) = (newValue?.shape, newValue?.pattern) }
    }
    private var itemShape: String?
    private var itemPattern: String?
    public internal(set) var keys: [Key] = []
    public internal(set) var project: Project?
    /// For the environment of all that follows; `${key}` stands for a key's value.
    public internal(set) var environment: [String: String] = [:]
    /// Folders that come first in PATH, alike.
    public internal(set) var path: [String] = []
    /// Whether the recipe's `env` is in force while it installs, and so counts in its key.
    public internal(set) var inheritsEnvironment = true
    public internal(set) var registryVariable: String?
    /// Variables that keep it from asking a registry.
    public internal(set) var offline: [String: String] = [:]
    public internal(set) var caches: [CacheMount] = []
    /// Shell functions for the scripts below.
    public internal(set) var functions: String?
    /// Finds exact versions and hashes and writes them to `$lock`; nil: the manager's own lock file does.
    public internal(set) var resolve: String?
    public internal(set) var install = ""
    /// Prints what is installed: name, version and, where known, hash.
    public internal(set) var list: String?

    /// What has no place in a key: words for people, order, caches.
    var scriptDigest: String { InputHashing.hex(of: [functions ?? "", install, list ?? "", PackageScript.common].joined(separator: "\0")) }

    func key(_ name: String) -> Key? { keys.first { $0.name == name } }

    /// Reads a definition.
    ///
    /// - Parameter file: its name for diagnostics.
    /// - Throws: ``RecipeDiagnostics`` with every problem.
    public static func parse(_ text: String, file: String) throws -> PackageManager {
        let source = RecipeSource(file: file, text: text)
        let decoder = RecipeDecoder(source)
        let manager = decoder.packageManager(try source.root())
        if decoder.hasErrors { throw RecipeDiagnostics(decoder.sorted) }
        return manager
    }
}
