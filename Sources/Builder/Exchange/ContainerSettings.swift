import Archives
import Images
import Recipes

/// What a container's config says, in our words, and the other way round.
struct ContainerSettings {
    var environment: [String: String]
    var defaults: MachineDefaults
    var labels: [String: String]

    /// Of an imported image. Its ports are not published: a stranger's file does not decide who reaches this host.
    init(_ config: ContainerConfig?) {
        var values = ["PATH": Recipe.systemPath]
        for entry in config?.environment ?? [] {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if !parts[0].isEmpty { values[parts[0]] = parts.count > 1 ? parts[1] : "" }
        }
        environment = values
        defaults = MachineDefaults()
        if let user = config?.user, !user.isEmpty {
            // A group's name is what a machine does not know; the user's own group stands for it.
            let parts = user.split(separator: ":")
            defaults.user = parts.count == 2 && parts.allSatisfy({ UInt32($0) != nil }) ? user : String(parts.first ?? "root")
        }
        if let folder = config?.workingFolder, folder.hasPrefix("/") { defaults.workingFolder = folder }
        defaults.command = config.flatMap { $0.entrypoint + $0.command }.flatMap { $0.isEmpty ? nil : $0 }
        // Ours are made of what the image is, never taken from a file.
        labels = (config?.labels ?? [:]).filter { !$0.key.hasPrefix("dev.terrine.") }
    }

    /// For `podman run`, `docker run`.
    static func container(of image: Image) -> ContainerConfig {
        var config = ContainerConfig()
        config.architecture = ContainerConfig.thisArchitecture
        config.environment = image.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        config.command = image.machine.command ?? ["/bin/sh"]
        config.workingFolder = image.machine.workingFolder
        // Who runs when nothing is said; the name may be one that the image has not.
        config.user = image.machine.user == "root" ? "" : image.machine.user
        let ports = image.machine.ports + image.machine.services.flatMap(\.ports)
        config.exposedPorts = Set(ports.map { "\($0.machine)/tcp" }).sorted()
        config.labels = image.labels
        return config
    }
}
