import Trees

/// Finds the installed packages that a package needs.
struct DependencyLinks {
    /// By ecosystem and name, URLs of what is installed.
    private var installed: [String: [String]] = [:]

    init(_ inventory: PackageInventory) {
        for package in inventory.packages {
            let url = PackageURL.of(package, system: inventory.system)
            for name in [package.name] + package.provides { installed[Self.key(package.ecosystem, name), default: []].append(url) }
        }
    }

    private static func key(_ ecosystem: InstalledPackage.Ecosystem, _ name: String) -> String {
        "\(ecosystem.rawValue) \(ecosystem == .python ? PackageInventory.normalPythonName(name) : name)"
    }

    /// URLs; what is not installed (another platform's, an optional one) is left out.
    func dependencies(of package: InstalledPackage) -> [String] {
        package.dependencies.flatMap { choices in choices.lazy.compactMap { installed[Self.key(package.ecosystem, $0)] }.first ?? [] }
    }
}
