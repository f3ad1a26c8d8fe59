/// What a machine has beside packages: memory, locales, users, services, variables.
extension RemedyPlanner {
    func surroundings(_ lack: Lack) -> [Remedy] {
        func patch(_ source: Remedy.Source, _ patches: RecipePatch...) -> [Remedy] {
            [Remedy(lack, source, patches, "\(lack.kind.rawValue) \(lack.subject): \(lack.evidence)")]
        }
        func apt(_ name: String) -> RecipePatch { .package(manager: "apt", name: name) }
        switch lack.kind {
        case .memory: return patch(.environment, .memory(times: 2)) + patch(.environment, .memory(times: 4))
        case .disk: return patch(.environment, .disk(times: 2)) + patch(.environment, .disk(times: 4))
        // The soft limit is the machine's to raise, the hard one is the host's.
        case .openFiles: return patch(.environment, .goalPrefix("ulimit -n \"$(ulimit -H -n)\""))
        case .processes: return patch(.environment, .goalPrefix("ulimit -u \"$(ulimit -H -u)\""))
        case .certificates: return patch(.distribution, apt("ca-certificates"))
        case .network: return patch(.environment, .network(build: true, run: true))
        case .submodule: return patch(.declared, .checkout(.submodules))
        case .largeFiles: return patch(.declared, apt("git-lfs"), .checkout(.largeFiles))
        case .repository: return patch(.declared, apt("git"), .checkout(.history)) + patch(.standIn, apt("git"), .goalPrefix(Self.emptyHistory))
        case .gitIdentity:
            return patch(
                .environment, .variable(name: "GIT_AUTHOR_NAME", value: "Terrine"), .variable(name: "GIT_AUTHOR_EMAIL", value: "terrine@localhost"),
                .variable(name: "GIT_COMMITTER_NAME", value: "Terrine"), .variable(name: "GIT_COMMITTER_EMAIL", value: "terrine@localhost"))
        case .gitOwnership:
            return patch(
                .environment, .variable(name: "GIT_CONFIG_COUNT", value: "1"), .variable(name: "GIT_CONFIG_KEY_0", value: "safe.directory"),
                .variable(name: "GIT_CONFIG_VALUE_0", value: "*"))
        case .managedEnvironment: return patch(.environment, .variable(name: "PIP_BREAK_SYSTEM_PACKAGES", value: "1"))
        case .locale: return locale(lack)
        case .timezone: return patch(.distribution, apt("tzdata"))
        case .home: return patch(.environment, .variable(name: "HOME", value: "/root"))
        case .user: return user(lack)
        case .unprivileged: return patch(.environment, .goalUser("tester"))
        case .permission: return permission(lack)
        case .terminal: return patch(.environment, .variable(name: "TERM", value: "xterm"))
        case .display:
            let run = "exec Xvfb :99 -screen 0 1280x1024x24 -nolisten tcp"
            return patch(
                .standIn, apt("xvfb"), .variable(name: "DISPLAY", value: ":99"),
                .goalPrefix("[ -S /tmp/.X11-unix/X99 ] || { (\(run)) >/dev/null 2>&1 & sleep 2; }"))
        case .messageBus:
            return lack.subject == "system"
                ? patch(.standIn, apt("dbus"), .goalPrefix("mkdir -p /run/dbus && { [ -S /run/dbus/system_bus_socket ] || dbus-daemon --system --fork; }"))
                : patch(.standIn, apt("dbus"), .goalPrefix("export DBUS_SESSION_BUS_ADDRESS=\"$(dbus-daemon --session --fork --print-address)\""))
        case .service: return service(lack, lack.subject)
        case .database, .role: return service(lack, lack.language ?? "")
        case .port: return []
        case .variable: return variable(lack)
        case .secret: return secret(lack)
        default: return []
        }
    }

    /// What tools that ask git for a version or a list of files are content with.
    private static let emptyHistory =
        "git rev-parse --git-dir >/dev/null 2>&1 || { git init -q . && git add -A && git -c user.name=Terrine -c user.email=terrine@localhost commit -q -m Import && git tag v0.0.0; }"

    private func locale(_ lack: Lack) -> [Remedy] {
        let name = lack.subject.replacing("utf8", with: "UTF-8")
        let reason = "locale \(name): \(lack.evidence)"
        if name == "C.UTF-8" || !name.contains("_") {
            return [Remedy(lack, .environment, [.variable(name: "LC_ALL", value: "C.UTF-8"), .variable(name: "LANG", value: "C.UTF-8")], reason)]
        }
        guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "_.@-".contains($0)) }) else { return [] }
        let full = name.contains(".") ? name : name + ".UTF-8"
        let bare = full.prefix { $0 != "." }
        let charset = full.drop { $0 != "." }.dropFirst().prefix { $0 != "@" }
        let run = "localedef --inputfile=\(bare) --charmap=\(charset) \(full)"
        return [Remedy(lack, .distribution, [.package(manager: "apt", name: "locales"), .step(name: "locale \(full)", run: run)], reason)]
    }

    private func user(_ lack: Lack) -> [Remedy] {
        let name = lack.subject
        if name == "root" || name.allSatisfy(\.isNumber) { return [] }
        guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) }) else { return [] }
        let run = "getent passwd \(name) >/dev/null || useradd --create-home --shell /bin/sh \(name)"
        return [Remedy(lack, .environment, [.step(name: "user \(name)", run: run)], "user \(name): \(lack.evidence)")]
    }

    private func permission(_ lack: Lack) -> [Remedy] {
        let path = lack.subject
        guard path.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "_./+-".contains($0)) }) else { return [] }
        // A script of the repository without its execute bit.
        if context.files.contains(path.hasPrefix("./") ? String(path.dropFirst(2)) : path) {
            return [Remedy(lack, .environment, [.goalPrefix("chmod +x \(path)")], "\(path) has no execute bit: \(lack.evidence)")]
        }
        return []
    }

    /// A local service where the distribution has one; what does not answer is started, what it is to have is made.
    private func service(_ lack: Lack, _ name: String) -> [Remedy] {
        guard let known = context.services[name], !known.isAbsent else { return [] }
        let host = lack.detail.flatMap { $0.hasPrefix("host ") ? String($0.dropFirst(5)) : nil }
        let database = lack.kind == .database ? lack.subject : nil
        let user = lack.kind == .role ? lack.subject : nil
        let patch = RecipePatch.service(name: name, database: database, user: user, host: host)
        return [
            Remedy(lack, .standIn, [patch], "\(known.title)\(database.map { ", database \($0)" } ?? "")\(user.map { ", role \($0)" } ?? ""): \(lack.evidence)")
        ]
    }

    private func variable(_ lack: Lack) -> [Remedy] {
        let name = lack.subject
        if let value = lack.detail {
            let packages: [RecipePatch] =
                switch name {
                case "JAVA_HOME": [.package(manager: "apt", name: "default-jdk")]
                case "TERM": [.package(manager: "apt", name: "ncurses-base")]
                case "CHROME_BIN": [.package(manager: "apt", name: "chromium")]
                default: []
                }
            return [Remedy(lack, .environment, packages + [.variable(name: name, value: value)], "\(name): \(lack.evidence)")]
        }
        let words = name.lowercased().split(separator: "_")
        // What names a service stands for one.
        if let service = context.services.forVariable(name), !service.isAbsent {
            return [Remedy(lack, .standIn, [.service(name: service.name, database: nil, user: nil, host: nil)], "\(name): \(lack.evidence)")]
        }
        let value = words.last == "port" ? "8000" : words.last == "url" ? "http://localhost" : words.last == "host" ? "localhost" : "1"
        return [Remedy(lack, .standIn, [.variable(name: name, value: value)], "\(name) must have a value: \(lack.evidence)")]
    }

    /// Clearly no secret, so that nobody takes it for one.
    static let placeholder = "terrine-placeholder-not-a-secret"

    /// Only where no goal looks at it.
    private func secret(_ lack: Lack) -> [Remedy] {
        let name = lack.subject
        guard !context.checkedSecrets.contains(name), !lack.rule.hasPrefix("credentials-"),
            name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        else { return [] }
        return [Remedy(lack, .standIn, [.secretStandIn(name: name, value: Self.placeholder)], "\(name) must have a value: \(lack.evidence)")]
    }
}
