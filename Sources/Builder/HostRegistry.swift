import Foundation
import Recipes

/// The registry that this host names for a package manager, for recipes that name none: the variable `TERRINE_REGISTRY_<MANAGER>`, a URL or a folder.
///
/// apt's and pip's own configuration of the host is in force in machines anyway.
struct HostRegistry {
    private let value: String
    private let manager: String

    init?(for work: PlanStep.PackageWork, environment: [String: String] = ProcessInfo.processInfo.environment) {
        manager = work.request.manager.name
        let name = "TERRINE_REGISTRY_" + manager.uppercased().map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
        guard work.request.registry == nil, let value = environment[name], !value.isEmpty else { return nil }
        self.value = value
    }

    private var isFolder: Bool { value.hasPrefix("/") }

    /// Host's folders by where they are in the machine.
    var binds: [String: String] { isFolder ? [value: PackageScript.registryFolder(manager)] : [:] }

    var environment: [String: String] {
        if !isFolder { return ["TERRINE_REGISTRY": value] }
        let folder = PackageScript.registryFolder(manager)
        return ["TERRINE_REGISTRY": "file://" + folder, "TERRINE_REGISTRY_FOLDER": folder]
    }
}
