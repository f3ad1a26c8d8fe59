import Recipes

extension RemedyContext {
    /// What a repository says of itself, as far as remedies depend on it.
    init(_ repository: Repository, _ found: Probe.Result, recipe: Recipe, knowledge: IndexedPackages) {
        self.init(
            knowledge: knowledge, suite: Self.suite(of: recipe), workspace: recipe.workspace.path, files: Set(repository.files.map(\.path)),
            ownNames: ["python": Self.pythonNames(repository), "node": Self.nodeName(repository)],
            declared: [
                "python": Self.pythonRequirements(repository, found), "node": Self.nodeDependencies(repository), "ruby": Self.gems(repository),
                "go": Self.goModules(repository), "haskell": Self.haskellPackages(repository), "rust": Self.crates(repository),
                "perl": Self.perlModules(repository), "java": Self.artifacts(repository),
            ],
            checkedSecrets: Set(recipe.secrets.filter(\.isRequired).map(\.name)))
    }

    /// Of a base that is none of Debian's by name, the usual one.
    static func suite(of recipe: Recipe) -> String {
        let name = recipe.base.text
        return name.hasPrefix("debian-") ? String(name.dropFirst(7)) : "bookworm"
    }

    /// Modules that lie in the repository, and what it calls itself.
    private static func pythonNames(_ repository: Repository) -> Set<String> {
        var names: Set<String> = []
        for prefix in ["", "src/", "lib/", "python/"] {
            for file in repository.files(matching: "\(prefix)*/__init__.py") { names.insert(String(file.path.split(separator: "/").dropLast().last ?? "")) }
            for file in repository.files(matching: "\(prefix)*.py") {
                names.insert(String(file.path.split(separator: "/").last?.dropLast(3) ?? ""))
            }
        }
        // Extensions and packages without an `__init__.py` have their source in a folder or file of that name too.
        for (file, pattern) in [("pyproject.toml", projectName), ("setup.cfg", metadataName), ("setup.py", setupName)] {
            guard let source = repository.text(file), let match = source.matches(pattern, limit: 1).first else { continue }
            names.formUnion([match.groups[1], ImportNames.normalised(match.groups[1])])
        }
        return names.subtracting(["", "setup", "conftest", "tests", "test"])
    }

    private static let projectName = Pattern(known: #"^name\s*=\s*["']([\w.-]+)["']"#)
    private static let metadataName = Pattern(known: #"^name\s*=\s*([\w.-]+)\s*$"#)
    private static let setupName = Pattern(known: #"^\s*name\s*=\s*["']([\w.-]+)["']"#)

    /// A requirement in a list of its manifest or a requirements file.
    private static let requirement = Pattern(
        known: #"^\s*["']?([A-Za-z][\w.-]*(?:\[[\w,.-]+\])?)\s*((?:(?:[<>=!~]=?|===)\s*[\w.*+!-]+\s*,?\s*)*)["']?\s*(?:;.*)?,?\s*(?:#.*)?$"#)

    private static func pythonRequirements(_ repository: Repository, _ found: Probe.Result) -> [String: String] {
        var declared: [String: String] = [:]
        func take(_ text: String) {
            let name = ImportNames.normalised(String(text.prefix { !"<>=!~[ ;".contains($0) }))
            if !name.isEmpty, declared[name] == nil { declared[name] = text.replacing(" ", with: "") }
        }
        for finding in found.findings { if case .package("pip", let name) = finding.subject { take(name) } }
        for glob in ["*requirements*.txt", "requirements/*.txt"] {
            for file in repository.files(matching: glob).prefix(20) {
                for match in repository.text(file.path)?.matches(requirement) ?? [] { take(match.groups[1] + match.groups[2].trimmingSpaces) }
            }
        }
        for file in ["pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "Pipfile"] {
            // Only what says a version: a bare word in such a file may be anything.
            for match in repository.text(file)?.matches(requirement) ?? [] where !match.groups[2].trimmingSpaces.isEmpty {
                take(match.groups[1] + match.groups[2].trimmingSpaces)
            }
        }
        return declared
    }

    private static func package(_ repository: Repository) -> DataNode? {
        // A manifest that cannot be read declares nothing, and the probe has told it.
        repository.text("package.json").flatMap { try? JSONText.read($0) }
    }

    private static func nodeName(_ repository: Repository) -> Set<String> { Set([package(repository)?["name"]?.text].compactMap { $0 }) }

    private static func nodeDependencies(_ repository: Repository) -> [String: String] {
        guard let manifest = package(repository) else { return [:] }
        var all: [String: String] = [:]
        for key in ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"] {
            all.merge(manifest[key]?.textByKey ?? [:]) { first, _ in first }
        }
        return all
    }

    /// `gem "x"`, `s.add_dependency("x")`, and `%q<x>` as RubyGems itself writes it.
    private static let gem = Pattern(
        known: #"^\s*(?:gem|\w+\.add(?:_development|_runtime)?_dependency)[ (]+(?:["']|%q<)([\w./-]+)["'>]"#)

    private static func gems(_ repository: Repository) -> [String: String] {
        names(repository.files(matching: "Gemfile") + repository.files(matching: "*.gemspec"), repository, gem)
    }

    private static let goModule = Pattern(known: #"^\s*(?:require\s+)?([\w.~-]+(?:/[\w.~-]+)+)\s+v\d\S*\s*(?://.*)?$"#)

    private static func goModules(_ repository: Repository) -> [String: String] { names(repository.files(matching: "go.mod"), repository, goModule) }

    private static func names(_ files: [Repository.File], _ repository: Repository, _ pattern: Pattern) -> [String: String] {
        let found = files.compactMap { repository.text($0.path) }.flatMap { $0.matches(pattern) }.map { ($0.groups[1], $0.groups[1]) }
        return Dictionary(found) { first, _ in first }
    }

    /// A field of a Cabal file goes on in the lines that are indented more than its name.
    private static func haskellPackages(_ repository: Repository) -> [String: String] {
        var all: [String: String] = [:]
        for source in repository.files(matching: "*.cabal").prefix(20).compactMap({ repository.text($0.path) }) {
            var depth: Int?
            for line in source.text.split(whereSeparator: \.isNewline) {
                let indent = line.prefix { $0 == " " }.count
                var rest = line.drop { $0 == " " }
                if rest.isEmpty || rest.hasPrefix("--") { continue }
                if rest.lowercased().hasPrefix("build-depends") {
                    depth = indent
                    rest = rest.drop { $0 != ":" }.dropFirst()
                } else if let current = depth, indent <= current {
                    depth = nil
                }
                if depth == nil { continue }
                for item in rest.split(separator: ",") {
                    let name = String(item.drop { $0 == " " }.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") })
                    if name.first?.isLetter == true { all[name] = name }
                }
            }
        }
        return all
    }

    private static func crates(_ repository: Repository) -> [String: String] {
        var all: [String: String] = [:]
        for source in repository.files(matching: "**/Cargo.toml").prefix(20).compactMap({ repository.text($0.path) }) {
            // A manifest that cannot be read declares nothing, and Cargo will say so.
            guard let manifest = try? TOMLText.read(source) else { continue }
            for key in ["dependencies", "dev-dependencies", "build-dependencies"] { for entry in manifest[key]?.entries ?? [] { all[entry.key] = entry.key } }
        }
        return all
    }

    /// `requires "X::Y"` of a cpanfile, and `"X::Y" => 1` or `"X::Y" : 1` of what CPAN's own tools write.
    private static let perlModule = Pattern(
        known: #"^\s*(?:\w*requires\s+["']?([A-Z]\w*(?:::\w+)*)|["']?([A-Z]\w*(?:::\w+)*)["']?\s*(?:=>|:)\s*["']?v?\d[\d._]*["']?\s*,?\s*$)"#)

    private static func perlModules(_ repository: Repository) -> [String: String] {
        var all: [String: String] = [:]
        for source in ["cpanfile", "META.json", "META.yml", "Makefile.PL", "Build.PL"].compactMap(repository.text) {
            for match in source.matches(perlModule) {
                let name = match.groups[1].isEmpty ? match.groups[2] : match.groups[1]
                // What a manifest says in capitals is a key of its own.
                if name.contains(where: \.isLowercase) || name == "DBI" { all[name] = name }
            }
        }
        return all
    }

    private static let artifact = Pattern(known: #"<(dependency|/dependency|groupId|artifactId)>(?:\s*([\w.-]+)\s*</)?"#)

    /// `group:artifact` of what a pom depends on, its plugins aside.
    private static func artifacts(_ repository: Repository) -> [String: String] {
        var all: [String: String] = [:]
        for source in repository.files(matching: "**/pom.xml").prefix(20).compactMap({ repository.text($0.path) }) {
            var isInside = false
            var group: String?
            for match in source.matches(artifact) {
                switch match.groups[1] {
                case "dependency": (isInside, group) = (true, nil)
                case "/dependency": isInside = false
                case "groupId": group = match.groups[2]
                default:
                    guard isInside, let owner = group, !owner.isEmpty, !match.groups[2].isEmpty else { continue }
                    all["\(owner):\(match.groups[2])"] = match.groups[2]
                    group = nil
                }
            }
        }
        return all
    }
}
