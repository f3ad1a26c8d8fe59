/// What machines from an image are when nobody says otherwise; in the image as JSON, in the label `dev.terrine.machine`.
public struct MachineDefaults: Codable, Sendable, Equatable {
    /// Who runs processes: a name, or `uid[:gid]`.
    public var user = "root"
    /// Absolute.
    public var workingFolder = "/"
    /// Processors' worth of time; nil: no limit.
    public var cpus: Double?
    /// Bytes; nil: no limit.
    public var memory: Int64?
    /// Bytes of the disk; nil: as much as the image's.
    public var disk: Int64?
    /// `open` or `none`.
    public var network = "open"
    public var services: [Service] = []
    public var ports: [Port] = []
    /// The recipe's name.
    public var recipe: String?
    /// What `run` runs when it is given no command: of an imported image, what a container of it would run.
    public var command: [String]?
    /// Whether the disk has scripts for a machine's first start; nil: no.
    public var hasFirstStart: Bool?

    public init() {}

    /// A process that must be alive when work starts.
    public struct Service: Codable, Sendable, Equatable {
        public var name: String
        /// For a shell.
        public var run: String
        /// For a shell: exits with 0 when the service is ready. Without it, a service is ready when it runs.
        public var ready: String?
        public var timeoutSeconds = 30.0
        /// `never`, `always` or `on-failure`.
        public var restart = "on-failure"
        /// The machine's when nil.
        public var user: String?
        public var environment: [String: String] = [:]
        public var ports: [Port] = []

        public init(name: String, run: String) { (self.name, self.run) = (name, run) }
    }

    /// A port of this host that leads to one of the machine.
    public struct Port: Codable, Sendable, Hashable {
        public var host: UInt16
        public var machine: UInt16

        public init(host: UInt16, machine: UInt16) { (self.host, self.machine) = (host, machine) }
    }
}
