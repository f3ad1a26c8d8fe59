import Recipes

/// What a patch of the recipe means for a machine that runs already.
enum LiveScript {
    /// For `/bin/sh -e` as root in the workspace; nil where a running machine cannot have it: another base, more memory, the variables of processes that run.
    static func text(_ patch: RecipePatch) -> String? {
        switch patch {
        case .package(let manager, let name): install(ShellQuote.word(name), manager)
        case .step(_, let run): run
        case .service(let name, let database, let user, let host):
            ServiceTable.known[name].flatMap { service(ServiceUse(name, database: database, user: user), $0, host: host) }
        default: nil
        }
    }

    /// - Parameter name: quoted.
    private static func install(_ name: String, _ manager: String) -> String? {
        switch manager {
        // An image has no lists of packages.
        case "apt": "export DEBIAN_FRONTEND=noninteractive\napt-get -qq update\napt-get -qq install -y --no-install-recommends \(name)"
        // The first python3 of the path: that of the recipe's virtual environment, if there is one.
        case "pip": "export PIP_BREAK_SYSTEM_PACKAGES=1\npython3 -m pip install --quiet --no-input \(name)"
        case "npm": "npm install --global --silent \(name)"
        case "gem": "gem install --silent \(name)"
        case "cargo": "cargo install --quiet \(name)"
        case "go": "go install \(name.contains("@") ? name : name + "@latest")"
        default: nil
        }
    }

    private static func service(_ use: ServiceUse, _ service: ServiceTable.Service, host: String?) -> String? {
        if service.isAbsent { return nil }
        let made = service.draft(use)
        var lines = service.packages.isEmpty ? [] : [install(service.packages.map(ShellQuote.word).joined(separator: " "), "apt") ?? ""]
        for (name, value) in service.env.sorted(by: { $0.key < $1.key }) { lines.append("export \(name)=\(ShellQuote.word(value))") }
        if let host, host != "localhost" { lines.append("grep -q ' \(host)$' /etc/hosts || echo '127.0.0.1 \(host)' >> /etc/hosts") }
        let ready = made.ready.map { "/bin/sh -e -c \(ShellQuote.word($0)) >/dev/null 2>&1" } ?? "true"
        lines.append(
            """
            if ! \(ready); then
              setsid /bin/sh -e -c \(ShellQuote.word(made.run)) >/var/log/terrine-\(service.name).log 2>&1 </dev/null &
              tries=0
              until \(ready); do
                tries=$((tries + 1))
                [ $tries -lt 60 ] || { tail -n 20 /var/log/terrine-\(service.name).log; exit 1; }
                sleep 1
              done
            fi
            """)
        return lines.joined(separator: "\n")
    }
}
