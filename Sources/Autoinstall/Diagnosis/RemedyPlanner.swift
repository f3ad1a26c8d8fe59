/// Proposes how to mend a lack: first what the repository's own files declare, then its language's package manager, then the distribution.
///
/// Rules are of ecosystems, never of a repository. Nothing is tried here; what a proposal is worth shows when it was built and the goal ran again.
public struct RemedyPlanner: Sendable {
    let context: RemedyContext
    var packages: IndexedPackages { context.knowledge }

    public init(_ context: RemedyContext) { self.context = context }

    /// What can be done, for each lack in its order.
    public func advice(for lacks: [Lack]) -> [Advice] { lacks.map(advice) }

    public func advice(for lack: Lack) -> Advice {
        if !Self.isPlain(lack) { return Advice(remedies: [], blocker: blocker(lack)) }
        var seen: Set<[RecipePatch]> = []
        let ordered = remedies(lack).enumerated().sorted { ($0.element.source, $0.offset) < ($1.element.source, $1.offset) }.map(\.element)
        return Advice(
            remedies: ordered.filter { !$0.patches.isEmpty && !isOutOfReach($0) && seen.insert($0.patches).inserted }, blocker: blocker(lack))
    }

    /// What comes from a registry that cannot be reached would only be waited for.
    private func isOutOfReach(_ remedy: Remedy) -> Bool {
        remedy.patches.contains { Registry.needed(for: $0).map(context.unreachable.contains) ?? false }
    }

    /// Names come from what a stranger's program printed, and become parts of recipes and scripts: only letters that mean nothing to a shell.
    private static func isPlain(_ lack: Lack) -> Bool {
        let more = lack.kind == .requirement || lack.kind == .pkgConfig ? "<>=!~,[]" : ""
        func isPlain(_ text: String) -> Bool {
            text.utf8.count <= 300 && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._+-/@:= ()".contains($0) || more.contains($0)) }
        }
        return lack.kind == .failingTest || lack.kind == .time || isPlain(lack.subject)
    }

    private func remedies(_ lack: Lack) -> [Remedy] {
        switch lack.kind {
        case .command: command(lack)
        case .compiler: apt(lack, Self.compilers[lack.subject] ?? orElse(packages.packages(forCommand: lack.subject), [lack.subject]))
        case .package: apt(lack, [lack.subject])
        case .pkgConfig: apt(lack, packages.packages(forPkgConfig: Self.bare(lack.subject)), with: ["pkg-config"])
        case .cmake: apt(lack, packages.packages(forCMake: lack.subject))
        case .header: apt(lack, packages.packages(forHeader: lack.subject))
        case .linkLibrary: apt(lack, packages.packages(forLinked: Self.libraryName(lack.subject)))
        case .sharedLibrary: sharedLibrary(lack)
        case .dependency: dependency(lack)
        case .file: apt(lack, packages.packages(forFile: lack.subject))
        case .module: module(lack)
        case .requirement: requirement(lack)
        case .testPlugin: lack.subject.contains(" ") || lack.subject.hasPrefix("-") ? [] : requirement(lack)
        case .nativeBuild: nativeBuild(lack)
        case .version: version(lack)
        case .lockFile: lockFile(lack)
        default: surroundings(lack)
        }
    }

    // MARK: The distribution

    /// One remedy for each of the best owners; `with` comes along.
    func apt(_ lack: Lack, _ names: [String], with more: [String] = [], _ source: Remedy.Source = .distribution, limit: Int = 3) -> [Remedy] {
        names.prefix(limit).map { name in
            let all = [name] + more.filter { $0 != name }
            return Remedy(lack, source, all.map { .package(manager: "apt", name: $0) }, "\(lack.kind.rawValue) \(lack.subject): \(lack.evidence)")
        }
    }

    /// Packages that are needed together.
    func aptAll(_ lack: Lack, _ names: [String], _ source: Remedy.Source = .distribution) -> [Remedy] {
        names.isEmpty ? [] : [Remedy(lack, source, names.map { .package(manager: "apt", name: $0) }, "\(lack.kind.rawValue) \(lack.subject): \(lack.evidence)")]
    }

    func orElse(_ first: [String], _ second: @autoclosure () -> [String]) -> [String] { first.isEmpty ? second() : first }

    private static let compilers = [
        "gcc": ["build-essential"], "g++": ["build-essential"], "cc": ["build-essential"], "c++": ["build-essential"], "gfortran": ["gfortran"],
        "clang": ["clang"], "nasm": ["nasm"], "gobjc": ["gobjc"], "gnat": ["gnat"], "binutils": ["binutils"], "rustc": ["rustc"], "valac": ["valac"],
    ]

    /// `libpq>=14` and `foo = 1` are asked for by name.
    static func bare(_ text: String) -> String { String(text.prefix { !"<>=! ".contains($0) }) }

    /// `:libx.so` and `x`.
    private static func libraryName(_ text: String) -> String {
        var name = Substring(text)
        if name.hasPrefix(":lib") { name = name.dropFirst(4).prefix { $0 != "." } }
        return String(name)
    }

    private func sharedLibrary(_ lack: Lack) -> [Remedy] {
        let name = lack.subject
        // `libfoo.so` is looked for by programs that load it themselves; its package for running has a number behind.
        let found = packages.packages(forFile: name)
        if !found.isEmpty || name.contains(".so.") { return apt(lack, found) }
        return apt(lack, packages.packages(forFile: name + ".so"))
    }

    /// Something by a name alone: whichever of these there is.
    private func dependency(_ lack: Lack) -> [Remedy] {
        let name = Self.bare(lack.subject)
        let small = name.lowercased()
        let bare = small.hasPrefix("lib") && small.count > 3 ? String(small.dropFirst(3)) : small
        var found: [String] = []
        for packages in [
            packages.packages(forPkgConfig: name), packages.packages(forPkgConfig: "lib" + bare), packages.packages(forPkgConfig: bare),
            packages.packages(forCommand: small), packages.packages(forLinked: bare), packages.packages(forCMake: name),
            packages.packages(forHeader: small + ".h"),
        ] {
            for package in packages.prefix(1) where !found.contains(package) { found.append(package) }
        }
        return apt(lack, found)
    }

    // MARK: Programs

    private func command(_ lack: Lack) -> [Remedy] {
        let name = lack.subject.split(separator: "/").last.map(String.init) ?? lack.subject
        var remedies: [Remedy] = []
        if let tool = DevelopmentTools.node[name], context.has("package.json") {
            remedies.append(nodeInstall(lack, context.declares("node", tool) == nil ? tool : nil))
        }
        if let tool = DevelopmentTools.python[name], context.has("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini") {
            remedies.append(pip(lack, tool))
        }
        if let tool = DevelopmentTools.ruby[name], context.has("Gemfile") { remedies += rubyModule(lack, tool) }
        if name.hasPrefix("cargo-"), name != "cargo-clippy", name != "cargo-fmt" {
            remedies.append(Remedy(lack, .language, [.package(manager: "cargo", name: name)], "`cargo \(name.dropFirst(6))`: \(lack.evidence)"))
        }
        if lack.subject.hasPrefix("vendor/bin/") || lack.subject.contains("/vendor/bin/") { remedies += composerInstall(lack) }
        if lack.subject.contains("node_modules/.bin/"), context.has("package.json") { remedies.append(nodeInstall(lack, nil)) }
        let found = packages.packages(forCommand: name)
        // An alternative that needs several packages needs all of them.
        return remedies + (found.count > 1 && DevelopmentTools.together.contains(name) ? aptAll(lack, found) : apt(lack, found))
    }

    // MARK: What cannot be had

    private func blocker(_ lack: Lack) -> Blocker {
        let subject = lack.subject
        return switch lack.kind {
        case .disk: Blocker(lack, "give the machine a larger `resources.disk`, or free space on the host", .hostAdministrator)
        case .memory: Blocker(lack, "give the machine more `resources.memory`, or let the build do less at once", .hostAdministrator)
        case .openFiles, .processes: Blocker(lack, "raise the host's limit of \(subject) (ulimit) for terrine", .hostAdministrator)
        case .inotify: Blocker(lack, "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances on the host", .hostAdministrator)
        case .sharedMemory: Blocker(lack, "give the machine a larger /dev/shm", .hostAdministrator)
        case .capability: Blocker(lack, "sandboxes do not have \(subject); run this goal in a VM, or leave it out", .hostAdministrator)
        case .network: Blocker(lack, "let machines reach \(subject), or take what it gives from a registry of this host", .networkAdministrator)
        case .certificates: Blocker(lack, "add the authority that signs the connection to this host's bundle (update-ca-certificates)", .networkAdministrator)
        case .secret: Blocker(lack, "give \(subject) to the build (`terrine build --secret \(subject)=env:\(subject)`)", .secretHolder)
        case .submodule, .largeFiles, .repository: Blocker(lack, "give a clone with submodules, large files and history", .repositoryOwner)
        case .lockFile: Blocker(lack, "bring \(subject) up to date and commit it", .repositoryOwner)
        case .service: Blocker(lack, "say in the recipe how \(subject) is started, or give its address to the tests", .repositoryOwner)
        case .version: Blocker(lack, "no suite of Debian has \(subject) \(lack.detail ?? "") of its own: name a base that has it", .repositoryOwner)
        case .failingTest: Blocker(lack, "the test fails with everything present: mend or skip it", .upstream)
        case .time: Blocker(lack, "it did not end in time: raise `timeout`, or find what it waits for", .repositoryOwner)
        default: Blocker(lack, "say in the recipe where \(lack.kind.rawValue) \(subject) comes from", .repositoryOwner)
        }
    }
}
