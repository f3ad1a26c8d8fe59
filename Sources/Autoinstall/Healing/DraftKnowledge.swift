/// What a draft asks: names that can only mean one thing from the index, all others from the table of common ones.
///
/// Some package has a file of nearly any name: a header such as `stddef.h` and a word in a script say little. What is really missed, a failure will tell.
struct DraftKnowledge: PackageKnowledge {
    let index: IndexedPackages
    private let common = KnownPackages()

    init(_ index: IndexedPackages) { self.index = index }

    func packages(forFile path: String) -> [String] { common.packages(forFile: path) }
    func packages(forPkgConfig name: String) -> [String] { Array(index.packages(forPkgConfig: name).prefix(1)) }
    func packages(forCMake name: String) -> [String] {
        let known = common.packages(forCMake: name)
        if !known.isEmpty || index.packages(KnowledgeKey(.cmake, name.lowercased())).isEmpty { return known }
        return Array(index.packages(forCMake: name).prefix(1))
    }
    func packages(forCommand name: String) -> [String] { common.packages(forCommand: name) }
    func packages(forPythonDistribution name: String) -> [String] { common.packages(forPythonDistribution: name) }
    func distribution(forPythonImport module: String) -> String? { common.distribution(forPythonImport: module) }
}
