/// The shell scripts that the package managers' layers run, as root, with `/bin/sh -e`.
///
/// They leave nothing behind that differs from run to run or that can be fetched again: lists, archives, logs, caches.
enum PackageScripts {
    /// Where a package step finds its input files: gone again when its script ends.
    static let inputFolder = "/tmp/terrine-inputs"

    static func apt(_ packages: [String]) -> String {
        """
        export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C
        if ! command -v apt-get >/dev/null; then
          echo "terrine: packages.apt needs a base with apt-get (a Debian or a derivative)" >&2
          exit 1
        fi
        # Daemons are the recipe's services; none starts while packages are set up.
        if [ ! -e /usr/sbin/policy-rc.d ]; then
          printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
          chmod 755 /usr/sbin/policy-rc.d
          trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        fi
        apt-get update -q
        apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 \\
          -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \\
          -- \(packages.map(quoted).joined(separator: " "))
        apt-get clean
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old
        rm -rf /var/lib/dpkg/*-old /var/cache/ldconfig/aux-cache /var/cache/fontconfig/* /var/cache/man/*
        rm -rf /var/log/apt/* /var/log/dpkg.log /var/log/alternatives.log /var/log/fontconfig.log
        find /tmp /var/tmp -mindepth 1 -delete 2>/dev/null || true
        # A machine gets its own identity when it starts.
        if [ -s /etc/machine-id ]; then : > /etc/machine-id; fi
        # Bytecode holds the times of its sources.
        find /usr/lib/python3 /usr/lib/python3.* /usr/share -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

        """
    }

    static func pip(_ pip: Recipe.Pip) -> String {
        var install: [String] = []
        install += pip.requirements.map { "-r " + quoted("\(inputFolder)/\($0)") }
        let packages = pip.packages.map(quoted).joined(separator: " ")
        let command =
            "\"$venv/bin/python\" -m pip install --no-cache-dir --no-input --disable-pip-version-check --no-compile"
        var lines: [String] = []
        // Requirements files with hashes make pip want a hash for everything in one call, so plain packages have their own.
        if !install.isEmpty { lines.append("\(command) \(install.joined(separator: " "))") }
        if !packages.isEmpty { lines.append("\(command) -- \(packages)") }
        return """
            export PYTHONDONTWRITEBYTECODE=1 PIP_ROOT_USER_ACTION=ignore LC_ALL=C.UTF-8
            trap 'rm -rf \(inputFolder)' EXIT
            venv=\(quoted(pip.venv))
            if ! command -v python3 >/dev/null; then
              echo "terrine: packages.pip needs python3: add python3 and python3-venv to packages.apt" >&2
              exit 1
            fi
            if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
              echo "terrine: packages.pip makes a virtual environment: add python3-venv to packages.apt" >&2
              exit 1
            fi
            [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
            cd \(inputFolder) 2>/dev/null || cd /tmp
            \(lines.joined(separator: "\n"))
            "$venv/bin/python" -m pip check --disable-pip-version-check
            find "$venv" -name __pycache__ -type d -prune -exec rm -rf {} +
            rm -rf /root/.cache/pip

            """
    }

    /// A word for the shell.
    static func quoted(_ text: String) -> String {
        text.wholeMatch(of: /[A-Za-z0-9._\/:=+@%,-]+/) != nil ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }

    /// The files that a requirements file names by `-r` or `-c`.
    static func includes(of text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "=" })
            guard let first = words.first else { return nil }
            if ["-r", "-c", "--requirement", "--constraint"].contains(String(first)), words.count > 1 {
                return String(words[1])
            }
            if first.hasPrefix("-r") || first.hasPrefix("-c"), !first.hasPrefix("--"), first.count > 2 {
                return String(first.dropFirst(2))
            }
            return nil
        }
    }
}
