/// What a container image says of the process in it.
public struct ContainerConfig: Sendable, Equatable {
    /// As Go names it: `amd64`, `arm64`.
    public var architecture = ""
    /// `KEY=VALUE`.
    public var environment: [String] = []
    public var entrypoint: [String] = []
    public var command: [String] = []
    /// Absolute; empty when it is not said.
    public var workingFolder = ""
    /// `name`, `uid`, `uid:gid`; empty when it is not said.
    public var user = ""
    /// `8080/tcp`.
    public var exposedPorts: [String] = []
    public var labels: [String: String] = [:]

    public init() {}

    /// This host's, in those words.
    public static var thisArchitecture: String {
        #if arch(arm64)
            "arm64"
        #else
            "amd64"
        #endif
    }
}

/// The OCI image config: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md; docker's is the same where it matters.
struct OCIImageConfig: Codable {
    struct Nothing: Codable {}
    struct Settings: Codable {
        var Env: [String]?
        var Entrypoint: [String]?
        var Cmd: [String]?
        var WorkingDir: String?
        var User: String?
        var ExposedPorts: [String: Nothing]?
        var Labels: [String: String]?
    }
    struct RootFS: Codable {
        var type: String
        var diff_ids: [String]
    }
    struct History: Codable {
        var created: String?
        var created_by: String?
        var comment: String?
        var empty_layer: Bool?
    }

    var created: String?
    var architecture: String?
    var os: String?
    var config: Settings?
    var rootfs: RootFS
    var history: [History]?

    var container: ContainerConfig {
        var container = ContainerConfig()
        container.architecture = architecture ?? ""
        container.environment = config?.Env ?? []
        container.entrypoint = config?.Entrypoint ?? []
        container.command = config?.Cmd ?? []
        container.workingFolder = config?.WorkingDir ?? ""
        container.user = config?.User ?? ""
        container.exposedPorts = (config?.ExposedPorts ?? [:]).keys.sorted()
        container.labels = config?.Labels ?? [:]
        return container
    }

    /// - Parameter layers: digests of the plain archives.
    init(_ container: ContainerConfig, layers: [String]) {
        // A constant: when an image was made is no part of what it is.
        created = "1970-01-01T00:00:00Z"
        (architecture, os) = (container.architecture, "linux")
        func unlessEmpty<T: Collection>(_ value: T) -> T? { value.isEmpty ? nil : value }
        config = Settings(
            Env: unlessEmpty(container.environment), Entrypoint: unlessEmpty(container.entrypoint), Cmd: unlessEmpty(container.command),
            WorkingDir: unlessEmpty(container.workingFolder), User: unlessEmpty(container.user),
            ExposedPorts: unlessEmpty(Dictionary(container.exposedPorts.map { ($0, Nothing()) }) { $1 }), Labels: unlessEmpty(container.labels))
        rootfs = RootFS(type: "layers", diff_ids: layers)
        history = layers.map { _ in History(created: "1970-01-01T00:00:00Z", created_by: "terrine export") }
    }
}
