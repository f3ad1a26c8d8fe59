/// Modules of languages.
extension RemedyPlanner {
    func module(_ lack: Lack) -> [Remedy] {
        let language = lack.language ?? ""
        return switch language {
        case "python", "python-distribution": pythonModule(lack)
        case "node": nodeModule(lack)
        case "ruby": rubyModule(lack, lack.subject)
        case "php": phpModule(lack)
        case "rust": context.has("Cargo.toml") ? distribution(lack) + projectStep(lack, "cargo") : distribution(lack)
        case "go": goModule(lack)
        case "java": context.has("pom.xml") ? projectStep(lack, "maven") + distribution(lack) : distribution(lack)
        case "elixir":
            lack.subject == "hex"
                ? aptAll(lack, ["elixir", "erlang-dev"]) + step(lack, .language, "hex", "mix local.hex --force && mix local.rebar --force")
                : step(lack, .declared, "dependencies", "mix deps.get")
        case "aclocal":
            apt(lack, orElse(packages.packages(forModule: lack.subject, language: language), lack.subject.hasPrefix("AX_") ? ["autoconf-archive"] : []))
        case "gobject": apt(lack, gobject(lack.subject))
        case "java-package": javaPackage(lack)
        case "rust-target", "ocaml-module", "haskell-module": []
        default: distribution(lack) + byLanguage(lack, language)
        }
    }

    private func distribution(_ lack: Lack) -> [Remedy] { apt(lack, packages.packages(forModule: lack.subject, language: lack.language ?? "")) }

    func step(_ lack: Lack, _ source: Remedy.Source, _ name: String, _ run: String) -> [Remedy] {
        [Remedy(lack, source, [.step(name: name, run: run)], "\(lack.kind.rawValue) \(lack.subject): \(lack.evidence)")]
    }

    // MARK: Python

    func pip(_ lack: Lack, _ name: String) -> Remedy {
        let declared = context.declares("python", ImportNames.normalised(RemedyPlanner.bare(name)))
        let source: Remedy.Source = declared == nil ? .language : .declared
        return Remedy(lack, source, [.package(manager: "pip", name: declared ?? name)], "\(lack.kind.rawValue) \(lack.subject): \(lack.evidence)")
    }

    private func pythonModule(_ lack: Lack) -> [Remedy] {
        let root = lack.subject.split(separator: ".").first.map(String.init) ?? lack.subject
        if context.owns("python", root) || context.owns("python", ImportNames.normalised(lack.subject)) { return ownPython(lack, root) }
        if lack.language == "python-distribution" { return [pip(lack, ImportNames.normalised(lack.subject))] }
        var remedies: [Remedy] = []
        if root == "distutils" || root == "pkg_resources" { remedies.append(pip(lack, root == "pkg_resources" ? "setuptools<81" : "setuptools")) }
        if ImportNames.removed[root] == "3.0" { return python2(lack) }
        if let version = ImportNames.removed[root] { remedies += suite(lack, "python", "<\(version)") }
        if ImportNames.standardLibrary.contains(root) { return remedies + apt(lack, packages.packages(forModule: root, language: "python")) }
        if ImportNames.removed[root] != nil { return remedies }
        remedies.append(pip(lack, ImportNames.distribution(of: lack.subject)))
        // A virtual environment does not see the distribution's modules; this makes it.
        for name in packages.packages(forModule: lack.subject, language: "python").prefix(1) {
            let patches: [RecipePatch] = [.package(manager: "apt", name: name), .variable(name: "PYTHONPATH", value: "/usr/lib/python3/dist-packages")]
            remedies.append(Remedy(lack, .distribution, patches, "module \(lack.subject): \(lack.evidence)"))
        }
        return remedies
    }

    /// A module of the repository itself that is not found was not installed.
    private func ownPython(_ lack: Lack, _ root: String) -> [Remedy] {
        var remedies: [Remedy] = []
        if context.has("pyproject.toml", "setup.py") {
            remedies += step(lack, .declared, "install the project", "pip install --no-deps -e .")
        }
        let below = ["src", "lib", "python"].first { context.has("\($0)/\(root)/__init__.py", "\($0)/\(root).py") }
        let path = context.workspace + (below.map { "/" + $0 } ?? "")
        return remedies + [Remedy(lack, .environment, [.variable(name: "PYTHONPATH", value: path)], "\(root) is the repository's own: \(lack.evidence)")]
    }

    // MARK: Node

    /// - Parameter name: what the manifest does not name; nil for what it does.
    func nodeInstall(_ lack: Lack, _ name: String?) -> Remedy {
        let reason = "\(lack.kind.rawValue) \(lack.subject): \(lack.evidence)"
        if let name { return Remedy(lack, .language, [.step(name: "add \(name)", run: "npm install --no-save --no-audit --no-fund '\(name)'")], reason) }
        for (manager, lock) in [("npm", "package-lock.json"), ("yarn", "yarn.lock"), ("pnpm", "pnpm-lock.yaml")] where context.has(lock) {
            return Remedy(lack, .declared, [.manifest(manager: manager, key: "project", file: ".")], reason)
        }
        return Remedy(lack, .declared, [.step(name: "install packages", run: "npm install --no-audit --no-fund")], reason)
    }

    private func nodeModule(_ lack: Lack) -> [Remedy] {
        if context.owns("node", lack.subject) { return [nodeInstall(lack, nil)] }
        var remedies: [Remedy] = []
        if context.has("package.json") { remedies.append(nodeInstall(lack, context.declares("node", lack.subject) == nil ? lack.subject : nil)) }
        for name in packages.packages(forModule: lack.subject, language: "node").prefix(1) {
            let patches: [RecipePatch] = [.package(manager: "apt", name: name), .variable(name: "NODE_PATH", value: "/usr/share/nodejs:/usr/lib/nodejs")]
            remedies.append(Remedy(lack, .distribution, patches, "module \(lack.subject): \(lack.evidence)"))
        }
        return remedies
    }

    // MARK: Ruby, PHP, Go

    func rubyModule(_ lack: Lack, _ name: String) -> [Remedy] {
        var remedies: [Remedy] = []
        let gem = name.replacing("/", with: "-")
        if context.has("Gemfile"), context.declares("ruby", gem) != nil || context.declares("ruby", name) != nil {
            if context.has("Gemfile.lock") {
                remedies.append(Remedy(lack, .declared, [.manifest(manager: "gem", key: "project", file: ".")], "gem \(gem): \(lack.evidence)"))
            } else {
                remedies += step(lack, .declared, "install gems", "bundle install")
            }
        }
        return remedies + apt(lack, packages.packages(forModule: name, language: "ruby")) + [
            Remedy(lack, .language, [.package(manager: "gem", name: gem)], "gem \(gem): \(lack.evidence)")
        ]
    }

    private func phpModule(_ lack: Lack) -> [Remedy] {
        if lack.subject == "vendor/autoload.php" { return composerInstall(lack) }
        // pdo_mysql.so and pdo_sqlite.so are of the packages of their databases.
        return apt(lack, orElse(packages.packages(forModule: lack.subject, language: "php"), ["php-\(lack.subject)"]).map(Self.unversionedPHP))
    }

    /// php8.2-xml goes by php-xml, which any suite has.
    private static func unversionedPHP(_ name: String) -> String {
        guard name.hasPrefix("php"), let dash = name.firstIndex(of: "-"), name[..<dash].dropFirst(3).allSatisfy({ $0.isNumber || $0 == "." }) else {
            return name
        }
        return "php" + name[dash...]
    }

    func composerInstall(_ lack: Lack) -> [Remedy] {
        let reason = "\(lack.kind.rawValue) \(lack.subject): \(lack.evidence)"
        if context.has("composer.lock") { return [Remedy(lack, .declared, [.manifest(manager: "composer", key: "project", file: ".")], reason)] }
        guard context.has("composer.json") else { return [] }
        let patches: [RecipePatch] = [
            .package(manager: "apt", name: "composer"), .step(name: "install packages", run: "composer install --no-interaction --no-progress"),
        ]
        return [Remedy(lack, .declared, patches, reason)]
    }

    private func goModule(_ lack: Lack) -> [Remedy] {
        let found = packages.packages(forModule: lack.subject, language: "go")
        var remedies: [Remedy] = []
        if context.has("go.mod") { remedies += context.has("go.sum") ? projectStep(lack, "go") : step(lack, .declared, "fetch modules", "go mod download") }
        // Where the distribution stands in for the proxy, all that is missing is the package.
        if context.unreachable.contains(.go), context.has("go.mod") { return apt(lack, found, limit: 1) }
        for name in found.prefix(1) {
            // Outside modules: the distribution's sources are a GOPATH.
            let patches: [RecipePatch] = [
                .package(manager: "apt", name: name), .variable(name: "GOPATH", value: "/usr/share/gocode"), .variable(name: "GO111MODULE", value: "off"),
            ]
            remedies.append(Remedy(lack, .distribution, patches, "module \(lack.subject): \(lack.evidence)"))
        }
        return remedies
    }

    /// Nothing says which artifact a Java package is of: one whose group begins it, else a library that has its last words for a name.
    private func javaPackage(_ lack: Lack) -> [Remedy] {
        let words = lack.subject.split(separator: ".").map(String.init)
        let declared = (context.declared["java"] ?? [:]).keys.sorted().filter { name in
            name.split(separator: ":").first.map { lack.subject.hasPrefix($0) } ?? false
        }
        let names = (1...3).flatMap { count in words.count > count ? [words.suffix(count).joined(separator: "-"), words[words.count - count]] : [] }
        let found =
            declared.flatMap { packages.packages(forModule: $0, language: "java").prefix(1) }
            + names.flatMap { packages.packages(KnowledgeKey(.jar, $0)).prefix(1) }
        return apt(lack, found)
    }

    private func projectStep(_ lack: Lack, _ manager: String) -> [Remedy] {
        [Remedy(lack, .declared, [.manifest(manager: manager, key: "project", file: ".")], "module \(lack.subject): \(lack.evidence)")]
    }

    // MARK: Others

    private func gobject(_ subject: String) -> [String] {
        let exact = packages.packages(forModule: subject, language: "gobject")
        if !exact.isEmpty || subject.contains("-") { return exact }
        return ["3.0", "4.0", "1.0", "2.0", "0.1"].lazy.map { packages.packages(forModule: "\(subject)-\($0)", language: "gobject") }.first { !$0.isEmpty }
            ?? []
    }

    /// Where the recipe has no manager of the language, a step of the language's own does it.
    private func byLanguage(_ lack: Lack, _ language: String) -> [Remedy] {
        let name = lack.subject
        // It becomes a part of a script.
        guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-:/+".contains($0)) }) else { return [] }
        let tools: (package: String, run: String)? =
            switch language {
            case "perl": ("cpanminus", "cpanm --notest --quiet \(name)")
            case "lua": ("luarocks", "luarocks install \(name)")
            case "r": ("r-base-dev", "Rscript -e 'install.packages(\"\(name)\", repos = getOption(\"repos\", \"https://cloud.r-project.org\"))'")
            case "haskell": ("cabal-install", "cabal update && cabal build --only-dependencies all")
            case "ocaml": ("opam", "opam init --bare --disable-sandboxing --yes && opam install --yes \(name)")
            default: nil
            }
        guard let tools else { return [] }
        let patches: [RecipePatch] = [.package(manager: "apt", name: tools.package), .step(name: "install \(name)", run: tools.run)]
        // The distribution's is built and pinned like everything else; a step is what is left.
        return [Remedy(lack, .environment, patches, "module \(name): \(lack.evidence)")]
    }
}
