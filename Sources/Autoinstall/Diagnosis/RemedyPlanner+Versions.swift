/// Versions, requirements, lock files and what is compiled on the way.
extension RemedyPlanner {
    /// Another suite that has what is asked for.
    func suite(_ lack: Lack, _ language: String, _ wanted: String) -> [Remedy] {
        guard let constraint = VersionConstraint(wanted, bare: .minimum) else { return [] }
        let fitting = Suites.known.names.filter { $0 != context.suite && Suites.known.versions(of: language, in: $0).contains(where: constraint.admits) }
        return fitting.map { suite in
            let has = Suites.known.versions(of: language, in: suite).map(\.description).joined(separator: ", ")
            return Remedy(lack, .environment, [.base("debian-\(suite)")], "\(language) \(wanted): \(suite) has \(has): \(lack.evidence)")
        }
    }

    func version(_ lack: Lack) -> [Remedy] {
        let wanted = lack.detail ?? ""
        switch lack.subject {
        case "python" where wanted == "<3":
            return python2(lack)
        case "cmake", "meson", "ninja":
            // PyPI has the program itself, newer than any suite.
            return [pip(lack, lack.subject + Self.pipConstraint(wanted))] + suite(lack, lack.subject, wanted)
        case "java": return java(lack, wanted) + suite(lack, "java", wanted)
        case "glibc", "libstdc++": return Suites.known.names.last == context.suite ? [] : [Remedy(lack, .environment, [.base("debian-trixie")], lack.evidence)]
        case "rust" where wanted.hasPrefix("edition 2024") || wanted.hasPrefix("lock file 4"): return suite(lack, "rust", ">=1.85")
        case "go" where wanted.hasPrefix("with "): return suite(lack, "go", ">=1.21")
        case "ghc": return suite(lack, "haskell", wanted)
        case let tool where Suites.known.knows(tool): return suite(lack, tool, wanted)
        default: return upgraded(lack, wanted)
        }
    }

    /// The last suite that has it, and a virtual environment of it in the place of Python 3's: `python` and `pip` are then its own.
    func python2(_ lack: Lack) -> [Remedy] {
        let packages = ["python2", "python2-dev", "virtualenv"].map { RecipePatch.package(manager: "apt", name: $0) }
        let patches = [RecipePatch.base("debian-bullseye")] + packages + [.step(name: "python 2", run: Self.python2Environment)]
        return [Remedy(lack, .distribution, patches, "python <3: \(lack.evidence)")]
    }

    /// What was to be in the environment is installed anew, in the last versions for Python 2.
    private static let python2Environment = #"""
        names=$("$VIRTUAL_ENV/bin/pip" list --format=freeze --not-required | sed -n 's/==.*//p' | grep -v -x -e pip -e setuptools -e wheel || :)
        virtualenv --clear --python=python2 "$VIRTUAL_ENV"
        [ -z "$names" ] || "$VIRTUAL_ENV/bin/pip" install $names

        """#

    /// A library that is too old here may be newer in a later suite.
    private func upgraded(_ lack: Lack, _ wanted: String) -> [Remedy] {
        wanted.hasPrefix(">") && context.suite != "trixie"
            ? [Remedy(lack, .environment, [.base("debian-trixie")], "\(lack.subject) \(wanted): \(lack.evidence)")] : []
    }

    private static func pipConstraint(_ text: String) -> String { text.first.map { "<>=!~".contains($0) } == true ? text.replacing(" ", with: "") : "" }

    private func java(_ lack: Lack, _ wanted: String) -> [Remedy] {
        guard let constraint = VersionConstraint(wanted.hasPrefix("with source level") ? "<=17" : wanted, bare: .minimum) else { return [] }
        let names = packages.packages(KnowledgeKey(.program, "javac")).filter { name in
            let parts = name.split(separator: "-")
            return parts.count > 2 && parts[0] == "openjdk" && Version(parts[1]).map(constraint.admits) == true
        }
        return apt(lack, names.map { $0.replacing("-headless", with: "") }, limit: 2)
    }

    // MARK: Requirements

    func requirement(_ lack: Lack) -> [Remedy] {
        let wanted = lack.subject + (lack.detail.map(Self.pipConstraint) ?? "")
        switch lack.language {
        case "python":
            // What the index does not have under that name and version is not had by asking again.
            if lack.rule.hasPrefix("pip-") { return lack.rule == "pip-conflict" ? [] : Self.suites(context.suite, lack) }
            return [pip(lack, wanted)]
        case "perl": return apt(lack, packages.packages(forModule: lack.subject, language: "perl"))
        case "ruby":
            let version = lack.detail.map { ":" + $0 } ?? ""
            return [Remedy(lack, .language, [.package(manager: "gem", name: lack.subject + version)], lack.evidence)]
        default: return []
        }
    }

    private static func suites(_ current: String, _ lack: Lack) -> [Remedy] {
        // A distribution without a file for this Python may have one for another.
        Suites.known.names.filter { $0 != current }.map { Remedy(lack, .environment, [.base("debian-\($0)")], "\(lack.subject): \(lack.evidence)") }
    }

    func nativeBuild(_ lack: Lack) -> [Remedy] {
        let tools = ["build-essential", "pkg-config"]
        switch lack.language {
        case "python":
            let known = packages.packages(forPythonDistribution: lack.subject)
            return aptAll(lack, tools + ["python3-dev"] + known.filter { !tools.contains($0) })
        case "ruby": return aptAll(lack, tools + ["ruby-dev"])
        case "rust": return aptAll(lack, tools)
        default: return aptAll(lack, tools)
        }
    }

    func lockFile(_ lack: Lack) -> [Remedy] {
        let steps = [
            "package-lock.json": "npm install --no-audit --no-fund", "yarn.lock": "yarn install", "pnpm-lock.yaml": "pnpm install --no-frozen-lockfile",
            "Gemfile.lock": "bundle config set frozen false && bundle install", "go.sum": "go mod download all", "go.mod": "go mod tidy",
            "Cargo.lock": "cargo generate-lockfile",
            "composer.lock": "composer update --no-interaction --no-progress", "poetry.lock": "poetry lock", "uv.lock": "uv lock",
            "Pipfile.lock": "pipenv lock",
            "pdm.lock": "pdm lock",
        ]
        guard let run = steps[lack.subject] else { return [] }
        return [
            Remedy(lack, .standIn, [.step(name: "bring \(lack.subject) up to date", run: run)], "\(lack.subject) does not fit its manifest: \(lack.evidence)")
        ]
    }
}
