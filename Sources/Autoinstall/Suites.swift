import Recipes

/// Which versions each Debian suite has of its own, and which suite fits best.
public struct Suites: Sendable {
    /// In the order of preference.
    public let names: [String]
    private let versions: [String: [String: [Version]]]
    private let absent: Set<String>

    public static let known = Suites(YAMLTable.read(PackageResources.suites_yaml, "suites.yaml"))

    private init(_ table: DataNode) {
        names = table["suites"]?.texts.map(\.text) ?? []
        absent = Set(table["absent"]?.texts.map(\.text) ?? [])
        versions = Dictionary((table["languages"]?.entries ?? []).map { ($0.key, $0.value.textsByKey.mapValues { $0.compactMap { Version($0) } }) }) { $1 }
    }

    /// What a suite has of a language; none where nobody knows.
    public func versions(of language: String, in suite: String) -> [Version] { versions[language]?[suite] ?? [] }

    public func knows(_ language: String) -> Bool { versions[language] != nil }

    /// No suite has it at all.
    public func lacks(_ language: String) -> Bool { absent.contains(language) }

    /// How badly a suite fits: 0 it does, 1 it has only later versions than are named, 2 it does not. Nil where nobody knows.
    func misfit(_ suite: String, _ language: String, _ constraint: VersionConstraint) -> Int? {
        versions(of: language, in: suite).map(constraint.distance).min()
    }

    private func isEarlier(_ suite: String, than other: String, _ language: String) -> Bool {
        guard let a = versions(of: language, in: suite).min(), let b = versions(of: language, in: other).min() else { return false }
        return a < b
    }

    /// The suite that fits most of what is asked for; of equal ones the preferred.
    func best(for wants: [(language: String, constraint: VersionConstraint)], preferred: String?) -> String {
        let order = (preferred.map { [$0] } ?? []) + names.filter { $0 != preferred }
        func cost(_ suite: String) -> Int {
            wants.map { want in
                switch misfit(suite, want.language, want.constraint) {
                // Of later versions the nearest.
                case 1: 2 + names.count { isEarlier($0, than: suite, want.language) }
                case 2: 7
                default: 0
                }
            }.reduce(0, +)
        }
        return order.min { cost($0) < cost($1) } ?? "bookworm"
    }
}
