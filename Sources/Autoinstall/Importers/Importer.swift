/// Reads one format that describes an environment, and keeps what it says; what a recipe cannot say becomes a note.
protocol Importer: Sendable {
    /// The files of the repository that are of this format.
    func files(_ repository: Repository) -> [String]

    /// - Throws: ``ReadingProblem`` for a file that is none of the format; it is told, and the others are read.
    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws
}

/// What importers have at hand.
struct ImportContext: Sendable {
    let repository: Repository
    let carrier: ScriptCarrier
    let knowledge: any PackageKnowledge
}

enum Importers {
    static let all: [any Importer] = [
        DevcontainerImporter(), CursorImporter(), GitpodImporter(), WorkflowImporter(), DockerfileImporter(), ComposeImporter(), ToolVersionsImporter(),
        MiseImporter(), NixImporter(), PackageListImporter(),
    ]

    static func run(_ context: ImportContext, _ findings: inout Findings) {
        var read: Set<String> = []
        for importer in all {
            for file in importer.files(context.repository) where read.insert(file).inserted {
                guard let source = context.repository.text(file) else { continue }
                do { try importer.read(source, context, &findings) } catch let problem as ReadingProblem {
                    findings.note("not taken over: \(problem)", source.evidence(problem.line))
                } catch {
                    findings.note("not taken over: \(error)", source.evidence)
                }
            }
        }
    }
}

extension ImportContext {
    private static let ownVersion = Pattern(known: #"^[012](?:\.\d+)*-(.+)$"#)

    /// A container image that an environment begins with: a base, or a language's.
    func image(_ name: String, _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) {
        let path = name.split(separator: "@").first.map(String.init) ?? name
        let last = path.split(separator: "/").last.map(String.init) ?? path
        let parts = last.split(separator: ":", maxSplits: 1).map(String.init)
        guard let image = parts.first?.lowercased() else { return }
        var tag = parts.count > 1 ? parts[1].lowercased() : ""
        // Devcontainers' tags are `1-3.11-bookworm`: their own version, then the language's and the distribution's.
        if path.contains("devcontainers"), let own = Self.ownVersion.firstMatch(tag)?[1] { tag = own }
        let codenames = ["buster": "debian-bullseye", "bullseye": "debian-bullseye", "bookworm": "debian-bookworm", "trixie": "debian-trixie"]
        if let codename = codenames.first(where: { tag.contains($0.key) }) {
            findings.add(.base(codename.value), origin, evidence)
            if codename.key == "buster" { findings.note("Debian 10 (buster) is no base here: debian-bullseye is the nearest", evidence) }
        } else if image == "debian" || tag.hasPrefix("debian-"), let release = Version(tag.replacing("debian-", with: ""))?.parts.first {
            findings.add(.base(release <= 11 ? "debian-bullseye" : release == 12 ? "debian-bookworm" : "debian-trixie"), origin, evidence)
        } else if image == "ubuntu" || image == "base" && path.contains("devcontainers") {
            let release = Version(tag.replacing("ubuntu-", with: ""))?.parts.first ?? ["jammy": 22, "focal": 20, "noble": 24, "bionic": 18][tag] ?? 22
            let base = release <= 20 ? "debian-bullseye" : release >= 24 ? "debian-trixie" : "debian-bookworm"
            if image == "ubuntu" || tag.contains("ubuntu") {
                findings.add(.base(base), origin, evidence)
                findings.note("\(name) is no base here: \(base) is the nearest Debian", evidence)
            }
        } else if tag.contains("alpine") || image == "alpine" {
            findings.note("\(name) is of Alpine, whose packages have other names and another C library; the recipe is of Debian", evidence)
        }
        if let language = NameTables.images[image] {
            var version = tag
            if image == "maven" || image == "gradle" {
                findings.add(.tool(image == "maven" ? "mvn" : "gradle"), origin, evidence)
                version = Pattern(known: #"(?:openjdk|jdk|temurin|corretto)-?(\d+)"#).firstMatch(tag)?[1] ?? ""
            }
            let constraint = Version(version).map { String($0.description.split(separator: ".").prefix(2).joined(separator: ".")) }.flatMap {
                VersionConstraint($0)
            }
            findings.add(.language(language, constraint), origin, evidence)
        } else if !["debian", "ubuntu", "alpine", "scratch", "base", "universal", "buildpack-deps"].contains(image) {
            findings.note("the image \(name) is not known; what is in it was not taken over", evidence)
        }
    }

    /// A tool with a version, as version files and setup actions name it.
    func tool(_ name: String, _ version: String?, _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) {
        if let language = NameTables.tools[name] {
            // `temurin-17.0.9+9`, `1.14.5-otp-25`: the maker and what it was built with are no part of it.
            let bare = version.map { text in
                ["temurin-", "openjdk-", "corretto-", "zulu-", "ref:"].reduce(text) { $0.hasPrefix($1) ? String($0.dropFirst($1.count)) : $0 }
            }
            let constraint = bare.flatMap { text in Self.named.contains(text) ? nil : VersionConstraint(Version(text)?.description ?? text) }
            findings.add(.language(language, constraint), origin, evidence)
        } else if let package = NameTables.toolPackages[name], !package.isEmpty {
            findings.add(.systemPackage(package), origin, evidence)
            if let version, Version(version) != nil { findings.note("\(name) \(version): the recipe has Debian's version of \(package)", evidence) }
        } else {
            findings.note("the tool \(name)\(version.map { " " + $0 } ?? "") has no Debian package that is known", evidence)
        }
    }

    private static let named: Set = ["latest", "lts", "lts/*", "stable", "nightly", "beta", "system", "current", "*", "x", "3.x"]

    /// A variable of an environment: a secret when its value is one's own business, and not taken over when it is only known later.
    func variable(_ name: String, _ value: String, _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) {
        if name == "PATH" || value.contains("$PATH") || value.contains("${PATH}") || value.contains("containerEnv:PATH") {
            findings.note("PATH is not taken over: a recipe's values are literal", evidence)
        } else if value.contains("${localEnv:") || value.contains("secrets.") {
            findings.add(.secret(name, isRequired: false), origin, evidence)
        } else if value.contains("$") {
            findings.note("\(name) is only known when it runs, and was not taken over", evidence)
        } else if SecretScanner.looksSecret(name), !value.isEmpty, ServiceTable.known.forVariable(name) == nil {
            findings.add(.secret(name, isRequired: false), origin, evidence)
            findings.note("the value of \(name) was not taken over: a recipe holds no secrets", evidence)
        } else {
            findings.add(.variable(name, value: value), origin, evidence)
        }
        if let use = ServiceTable.known.forURL(value) { findings.add(.service(use), origin, evidence) }
    }
}
