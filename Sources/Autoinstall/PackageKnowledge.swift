/// Who knows which package has what a build or a program looks for.
///
/// The probe asks it, and so does whoever diagnoses a failure. Implementations answer from what they have at hand, at once and without the network;
/// an answer is the name of a Debian package (or several), a missing answer means "not known", never "there is none".
public protocol PackageKnowledge: Sendable {
    /// - Parameter path: absolute, such as `/usr/include/zlib.h`, or below a folder where such files are looked for, such as `zlib.h`.
    func packages(forFile path: String) -> [String]
    /// - Parameter name: of a `.pc` file, such as `libxml-2.0`.
    func packages(forPkgConfig name: String) -> [String]
    /// - Parameter name: as `find_package` has it.
    func packages(forCMake name: String) -> [String]
    /// - Parameter name: without a path, such as `psql`.
    func packages(forCommand name: String) -> [String]
    /// What a compiled Python distribution needs to be built.
    func packages(forPythonDistribution name: String) -> [String]
    /// The distribution that has a Python module.
    func distribution(forPythonImport module: String) -> String?
}

extension PackageKnowledge {
    public func packages(for library: NativeLibrary) -> [String] {
        switch library {
        case .pkgConfig(let name): packages(forPkgConfig: name)
        case .cmake(let name): packages(forCMake: name)
        case .header(let name): packages(forFile: name)
        case .linked(let name): packages(forFile: "lib\(name).so")
        }
    }
}

/// The common names, from a table that this program was built with.
public struct KnownPackages: PackageKnowledge {
    private static let table = YAMLTable.read(PackageResources.natives_yaml, "natives.yaml")
    private static func words(_ key: String) -> [String: [String]] {
        (table[key]?.textsByKey ?? [:]).mapValues { $0.flatMap { $0.split(separator: " ").map(String.init) } }
    }
    private static let pkgConfig = words("pkg-config")
    private static let cmake = words("cmake")
    private static let headers = words("headers")
    private static let libraries = words("libraries")
    private static let commands = words("commands")
    private static let pythonNatives = words("python-natives")
    private static let pythonImports = words("python-imports")

    public init() {}

    public func packages(forFile path: String) -> [String] {
        let names = path.split(separator: "/").map(String.init)
        // `/usr/include/libxml2/libxml/tree.h` is `libxml/tree.h` to those who include it.
        for count in stride(from: min(3, names.count), to: 0, by: -1) {
            if let found = Self.headers[names.suffix(count).joined(separator: "/")] { return found }
        }
        guard let name = names.last else { return [] }
        if name.hasPrefix("lib"), let end = name.firstRange(of: ".so") ?? name.firstRange(of: ".a") {
            return Self.libraries[String(name[name.index(name.startIndex, offsetBy: 3)..<end.lowerBound])] ?? []
        }
        if name.hasSuffix(".pc") { return packages(forPkgConfig: String(name.dropLast(3))) }
        if path.contains("/bin/") || path.contains("/sbin/") { return packages(forCommand: name) }
        return []
    }

    public func packages(forPkgConfig name: String) -> [String] { Self.pkgConfig[name] ?? Self.pkgConfig[name.lowercased()] ?? [] }
    public func packages(forCMake name: String) -> [String] { Self.cmake[name] ?? [] }
    public func packages(forCommand name: String) -> [String] { Self.commands[name] ?? [] }
    public func packages(forPythonDistribution name: String) -> [String] { Self.pythonNatives[name.lowercased().replacing("_", with: "-")] ?? [] }
    public func distribution(forPythonImport module: String) -> String? { Self.pythonImports[module]?.first }
}
