/// What the kernel was asked for in vain.
///
/// It is the last to be believed: programs ask for much that they can do without. What the output names too is likely.
public struct TraceDiagnoser: Diagnoser {
    /// Of a thing that nothing but the kernel knows of.
    private static let limit = 20

    public init() {}

    public func findings(in failure: Failure) -> [Lack] {
        let programs = failure.missedPrograms.map { Self.lack(.command, $0, "execve: \($0) is nowhere in PATH", failure) }
        let files = failure.missedFiles.map { Self.lack($0, failure) }
        let lacks = programs + files
        let doubtful = lacks.filter { $0.confidence == .possible }.prefix(Self.limit)
        return lacks.filter { $0.confidence > .possible } + doubtful
    }

    private static func lack(_ path: String, _ failure: Failure) -> Lack {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let evidence = "open: \(path) is not there"
        if let include = path.range(of: "/include/") {
            let parts = path[include.upperBound...].split(separator: "/")
            let header = parts.first?.hasSuffix("-linux-gnu") == true ? parts.dropFirst() : parts[...]
            return lack(.header, header.joined(separator: "/"), evidence, failure)
        }
        if name.hasSuffix(".pc") { return lack(.pkgConfig, String(name.dropLast(3)), evidence, failure) }
        if name.hasSuffix("Config.cmake") { return lack(.cmake, String(name.dropLast(12)), evidence, failure) }
        if name.hasSuffix("-config.cmake") { return lack(.cmake, String(name.dropLast(13)), evidence, failure) }
        if name.contains(".so") { return lack(.sharedLibrary, name, evidence, failure) }
        if path.hasPrefix("/usr/share/zoneinfo/") { return lack(.timezone, String(path.dropFirst(20)), evidence, failure) }
        if name.hasSuffix(".pm"), let module = perlModule(path) { return lack(.module, module, evidence, failure, language: "perl") }
        return lack(.file, path, evidence, failure)
    }

    private static func perlModule(_ path: String) -> String? {
        let parts = path.split(separator: "/").map(String.init)
        guard let start = parts.lastIndex(where: { $0.hasPrefix("perl") || $0.first?.isNumber == true }) else { return nil }
        let names = parts[(start + 1)...]
        return names.isEmpty ? nil : String(names.joined(separator: "::").dropLast(3))
    }

    private static func lack(_ kind: Lack.Kind, _ subject: String, _ evidence: String, _ failure: Failure, language: String? = nil) -> Lack {
        let word = subject.split(separator: "/").last.map(String.init) ?? subject
        return Lack(
            kind, subject, language: language, evidence: evidence, confidence: failure.output.contains(word) ? .likely : .possible, rule: "trace")
    }
}
