/// What a repository needs, as its owner wrote it in `terrine.yaml`: checked, with all defaults filled in.
///
/// Owns the meaning of the format (`Docs/recipes.md`); knows no machine and no store.
public struct Recipe: Sendable {
    public internal(set) var version = 1
    public internal(set) var name = ""
    public internal(set) var description: String?
    public internal(set) var base: Base = .named("")
    public internal(set) var resources = Resources()
    public internal(set) var packages = Packages()
    public internal(set) var files: [FileCopy] = []
    /// As written; ``environment`` is what processes get.
    public internal(set) var env: [String: String] = [:]
    public internal(set) var user: String = "root"
    public internal(set) var timeout: Duration?
    public internal(set) var workspace = WorkspaceSpec()
    public internal(set) var repositories: [Repository] = []
    public internal(set) var steps: [Step] = []
    public internal(set) var services: [Service] = []
    public internal(set) var checks: [Check] = []
    public internal(set) var ports: [Port] = []
    public internal(set) var secrets: [Secret] = []
    public internal(set) var standIns: [StandIn] = []
    public internal(set) var network = Network()
    public internal(set) var prewarm: Prewarm?

    /// What is accepted, but worth a word; shown by every command that loads the recipe.
    public internal(set) var warnings: [Diagnostic] = []
    /// What each variable is, axes of the matrix among them; those without a value are not here.
    public internal(set) var variables: [String: String] = [:]
    /// The variables that `variables` declares, in its order.
    public internal(set) var declared: [String] = []
    /// The values that make this image one of a matrix; empty when there is none.
    public internal(set) var cell: [String: String] = [:]
    /// The file as it was named, and the texts of all files that the recipe is made of, by name.
    public internal(set) var file = ""
    public internal(set) var texts: [String: String] = [:]
    /// The folder of the recipe, absolute: where its relative paths begin.
    public internal(set) var folder = ""
    /// Where each value stands, by dotted path such as `steps.0.inputs.1`.
    public internal(set) var locations: [String: SourceLocation] = [:]

    /// Where an image begins.
    public enum Base: Hashable, Sendable {
        /// `Images/<name>.yaml`, else a local image of that name.
        case named(String)
        /// A local image by `name:tag` or `sha256:…`.
        case image(String)
        /// `oci:HOST/PATH[:TAG]`: an image of a registry.
        case oci(String)
        /// `oci:PATH[:REF]`, `oci-layout:PATH[:REF]`: a layout's folder, or an archive of an image, beside the recipe.
        case ociLayout(path: String, reference: String?)
        /// `tar:PATH`: a root file system beside the recipe.
        case tar(path: String)

        /// As it is written in a recipe.
        public var text: String {
            switch self {
            case .named(let name), .image(let name): name
            case .oci(let reference): "oci:\(reference)"
            case .ociLayout(let path, let reference): "oci-layout:\(path)" + (reference.map { ":" + $0 } ?? "")
            case .tar(let path): "tar:\(path)"
            }
        }
    }

    /// What a machine gets by default; nil means the host's own default.
    public struct Resources: Hashable, Sendable {
        public internal(set) var cpus: Double?
        /// Bytes.
        public internal(set) var memory: Int64?
        /// Bytes.
        public internal(set) var disk: Int64?
    }

    public struct FileCopy: Hashable, Sendable {
        /// A file or a folder beside the recipe.
        public internal(set) var from: String
        /// Absolute, in the machine.
        public internal(set) var to: String
        /// For files; nil keeps 0755 or 0644 by the execute bit.
        public internal(set) var mode: UInt32?
    }

    public struct WorkspaceSpec: Hashable, Sendable {
        /// In the machine; steps, services and checks run here.
        public internal(set) var path = "/workspace"
        /// Beside the recipe.
        public internal(set) var from = "."
    }

    public struct Repository: Hashable, Sendable {
        public internal(set) var url: String
        public internal(set) var path: String
        public internal(set) var ref: String
        /// Commits of history; nil: all.
        public internal(set) var depth: Int?
        /// Contents of older files stay with the server.
        public internal(set) var isPartial = false
        public internal(set) var hasSubmodules = true
        public internal(set) var hasLargeFiles = true
    }

    public struct Cache: Hashable, Sendable {
        public internal(set) var name: String
        /// Other recipes use the same one.
        public internal(set) var isShared: Bool
        /// Several steps may use it at a time.
        public internal(set) var isConcurrent = false

        /// Tools that lock what they keep in a cache, or put it there whole.
        static let concurrent: Set = ["ccache", "sccache", "pip", "uv", "npm", "yarn", "pnpm", "cargo", "go", "gomod"]

        init(name: String, isShared: Bool, isConcurrent: Bool? = nil) {
            (self.name, self.isShared) = (name, isShared)
            self.isConcurrent = isConcurrent ?? Self.concurrent.contains(name)
        }

        /// Where it is in the machine: on a tmpfs path, never on the disk.
        public var path: String { "/dev/terrine/caches/\(name)" }
    }

    /// A secret that a step gets.
    public struct StepSecret: Hashable, Sendable {
        public internal(set) var name: String
        /// Also in this variable; nil: as a file only.
        public internal(set) var variable: String?
        /// Where it is in the machine: in memory, never on the disk.
        public var path: String { "/dev/terrine/secrets/\(name)" }
    }

    public struct Step: Hashable, Sendable {
        public internal(set) var name: String
        public internal(set) var run: String
        /// Globs from the workspace's root; nil means every file.
        public internal(set) var inputs: [String]?
        /// Paths of repositories that it needs; nil: all if it declares no inputs, else none.
        public internal(set) var repositories: [String]?
        public internal(set) var caches: [Cache] = []
        public internal(set) var secrets: [StepSecret] = []
        public internal(set) var env: [String: String] = [:]
        public internal(set) var user: String?
        public internal(set) var timeout: Duration?
        public internal(set) var network: NetworkMode?
    }

    public struct Service: Hashable, Sendable {
        public enum Restart: String, Sendable, CaseIterable {
            case never, always
            case onFailure = "on-failure"
        }

        public internal(set) var name: String
        public internal(set) var run: String
        /// Exits 0 once the service can be used; nil: ready when started.
        public internal(set) var ready: String?
        /// How long `ready` may take.
        public internal(set) var timeout: Duration = .seconds(30)
        public internal(set) var restart: Restart = .onFailure
        public internal(set) var user: String?
        public internal(set) var env: [String: String] = [:]
        public internal(set) var ports: [Port] = []
    }

    public struct Check: Hashable, Sendable {
        public internal(set) var name: String
        public internal(set) var run: String
        public internal(set) var exit: Int32 = 0
        /// Each must be in what the check prints (stdout or stderr).
        public internal(set) var outputContains: [String] = []
        /// The variables that `run` names.
        public internal(set) var env: [String: String] = [:]
        public internal(set) var user: String?
        public internal(set) var timeout: Duration?
    }

    public struct Port: Hashable, Sendable, CustomStringConvertible {
        public internal(set) var host: UInt16
        public internal(set) var machine: UInt16
        public var description: String { "\(host):\(machine)" }
    }

    public struct Secret: Hashable, Sendable {
        public internal(set) var name: String
        public internal(set) var isRequired = false
        public internal(set) var hosts: [String] = []
    }

    /// Something local or made up that takes the place of what the environment cannot have.
    public struct StandIn: Hashable, Sendable {
        /// A service, a step or a variable of this recipe.
        public internal(set) var name: String
        /// What cannot be had.
        public internal(set) var purpose: String
        /// Why the environment needs it.
        public internal(set) var reason: String
        /// The value of the variable `name` for every process; nil where `name` stands elsewhere in the recipe.
        public internal(set) var value: String?
    }

    public enum NetworkMode: String, Sendable, CaseIterable { case none, open }

    public struct Network: Hashable, Sendable {
        public internal(set) var build = NetworkMode.open
        public internal(set) var run = NetworkMode.open
    }

    public struct Prewarm: Hashable, Sendable {
        public internal(set) var count: Int
        public internal(set) var memory = false
    }

    public static let systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// What every process of a machine gets: `env`, the values of stand-ins, and what package managers want, such as a virtual environment in front of the path.
    public var environment: [String: String] {
        var values: [String: String] = [:]
        var path: [String] = []
        for request in packages.requests where request.manager.inheritsEnvironment {
            values.merge(request.manager.environment.mapValues(request.filled)) { $1 }
            path = request.manager.path.map(request.filled) + path
        }
        values["PATH"] = (path + [Self.systemPath]).joined(separator: ":")
        for standIn in standIns { if let value = standIn.value { values[standIn.name] = value } }
        return values.merging(env) { $1 }
    }

    /// The workspace's folder on this host.
    public var workspaceFolder: String { HostPath.join(folder, workspace.from) }
}
