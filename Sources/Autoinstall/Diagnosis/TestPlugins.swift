/// Which distribution brings an option, a fixture, a mark or a setting of pytest.
enum TestPlugins {
    private static let table = YAMLTable.read(PackageResources.test_plugins_yaml, "test-plugins.yaml")
    private static let options = table["options"]?.textByKey ?? [:]
    private static let fixtures = table["fixtures"]?.textByKey ?? [:]
    private static let marks = table["marks"]?.textByKey ?? [:]
    private static let settings = table["config"]?.textByKey ?? [:]

    /// - Parameter subject: `--cov=src`, `-n`, `fixture mocker`, `mark asyncio`, `option timeout`, or a distribution.
    /// - Returns: nil where nobody knows: it may be an option of the repository's own.
    static func distribution(for subject: String) -> String? {
        if subject.hasPrefix("-") {
            let name = String(subject.prefix { $0 != "=" })
            if !name.hasPrefix("--") { return options[String(name.prefix(2))] }
            // `--cov-report` is of what has `--cov`.
            var parts = name.split(separator: "-", omittingEmptySubsequences: false)
            while parts.count > 2 {
                if let found = options[parts.joined(separator: "-")] { return found }
                parts.removeLast()
            }
            return nil
        }
        let words = subject.split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2 else { return subject }
        return switch words[0] {
        case "fixture": fixtures[words[1]]
        case "mark": marks[words[1]]
        case "option": settings[words[1]]
        default: nil
        }
    }
}
