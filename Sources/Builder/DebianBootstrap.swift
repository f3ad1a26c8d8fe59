import Foundation
import Linux
import Recipes

/// Runs `mmdebstrap`: a Debian root file system as a tar archive, the same byte for byte from the same packages.
///
/// The host's apt configuration and mirrors count while packages are fetched. The archive holds the distribution's own sources and nothing of the host's.
package struct DebianBootstrap {
    let debian: BaseDefinition.Debian
    /// Seconds since 1970: no file is younger.
    let epoch: Int
    /// What exactly is to be installed, as `Result.packages` said once; nil: what the archive has now.
    var locked: [String]?

    /// What was made, and the hashes of the package indices that it was made from.
    struct Result {
        let tar: String
        let indices: [String]
        /// `name:architecture version sha256:…`, a package each, sorted.
        let packages: [String]
    }

    func run(in scratch: ScratchFolder, line: (String) -> Void) throws -> Result {
        let tar = scratch.path + "/base.tar"
        let indices = scratch.path + "/indices"
        let host = scratch.path + "/host"
        try stageHostConfiguration(host)
        if let locked {
            let pins = locked.map { $0.split(separator: " ") }.filter { $0.count > 1 }.map {
                "Package: \($0[0].prefix { $0 != ":" })\nPin: version \($0[1])\nPin-Priority: 1001\n"
            }
            try Data(pins.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: host + "/preferences"))
        }
        let packages = scratch.path + "/packages"
        let setup = """
            cp \(quoted(host))/apt.conf "$1/etc/apt/apt.conf.d/00terrine-host"; \
            if [ -e \(quoted(host))/preferences ]; then cp \(quoted(host))/preferences "$1/etc/apt/preferences.d/00terrine"; fi; \
            if [ -d \(quoted(host))/auth.conf.d ]; then mkdir -p "$1/etc/apt/auth.conf.d"; cp \(quoted(host))/auth.conf.d/* "$1/etc/apt/auth.conf.d/"; fi
            """
        // The lists are still there when packages are in; mmdebstrap removes them after this hook. What every machine has of its own stays as an
        // empty file: something to mount over.
        let customise = """
            (cd "$1/var/lib/apt/lists" && sha256sum *_Packages*) > \(quoted(indices)); \
            dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${Package} ${Architecture} ${Version}\\n' | awk \(quoted(Self.hashes)) - "$1"/var/lib/apt/lists/*_Packages | sort > \(quoted(packages)); \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" /bin/sh -e < \(quoted(host))/first-start || exit 1; \
            rm -f "$1/etc/apt/preferences.d/00terrine"; \
            rm -f "$1/etc/apt/apt.conf.d/00terrine-host"; \
            if [ -d \(quoted(host))/auth.conf.d ]; then for f in \(quoted(host))/auth.conf.d/*; do rm -f "$1/etc/apt/auth.conf.d/${f##*/}"; done; fi; \
            cp \(quoted(host))/sources.list "$1/etc/apt/sources.list"; rm -f "$1"/etc/apt/sources.list.d/0000*; \
            for f in resolv.conf hostname hosts machine-id; do rm -f "$1/etc/$f"; : > "$1/etc/$f"; chmod 644 "$1/etc/$f"; done; \
            rm -rf "$1"/var/log/apt/* "$1"/var/log/*.log "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old "$1"/var/cache/ldconfig/aux-cache
            """
        var arguments = ["--mode=root", "--format=tar", "--variant=\(debian.variant.rawValue)", "--setup-hook=\(setup)", "--customize-hook=\(customise)"]
        if !debian.packages.isEmpty { arguments.append("--include=" + debian.packages.sorted().joined(separator: ",")) }
        arguments += [debian.suite, tar] + hostSources()
        try HostTool.require("mmdebstrap", purpose: "make Debian \(debian.suite)")
        line("mmdebstrap \(debian.suite), variant \(debian.variant.rawValue)")
        // Where apt may not go as its own user it fetches as root, and leaves other traces: the place must not be the caller's choice.
        let own = ["SOURCE_DATE_EPOCH": String(epoch), "LC_ALL": "C", "TZ": "UTC", "TMPDIR": "/tmp"]
        let environment = ProcessInfo.processInfo.environment.merging(own) { $1 }
        do {
            // In namespaces of its own: when this build is killed nothing of it runs on, and nothing stays mounted. In a chroot whose / is no mount point
            // nothing there can be made private; what is mounted below it then goes with the namespace all the same.
            let script = "mount --make-rprivate / 2>/dev/null || :; exec mmdebstrap \"$@\""
            let apart = [
                "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "unchanged", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                script,
                "sh",
            ]
            try HostTool.run("setpriv", apart + arguments, environment: environment.map { "\($0.key)=\($0.value)" }, purpose: "make Debian \(debian.suite)")
        } catch let error as BuildError where error.code == "toolFailed" {
            throw BuildError(
                "baseFailed", error.message, cause: error.cause,
                fix:
                    "check that this host's apt reaches its mirrors (`apt-get update`) and that the package debian-archive-keyring is there; `terrine doctor` says more"
            )
        }
        let text = String(decoding: FileManager.default.contents(atPath: indices) ?? Data(), as: UTF8.self)
        // Which mirror an index came from is in its file's name; what it says is in its hash.
        let list = String(decoding: FileManager.default.contents(atPath: packages) ?? Data(), as: UTF8.self).split(separator: "\n").map(String.init)
        if list.isEmpty {
            throw BuildError(
                "baseFailed", "the packages of Debian \(debian.suite) cannot be told", cause: "apt kept no plain package indices in the new system",
                fix: "look which settings this host's `apt-config dump` has for Acquire, beside Debian's own")
        }
        if let locked { try Self.compare(list, locked) }
        return Result(tar: tar, indices: text.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }.sorted(), packages: list)
    }

    /// What the hooks read: the host's settings for fetching (proxies, authorities, retries) and its passwords for mirrors, to be used during the build only.
    private func stageHostConfiguration(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let dump = try HostTool.run("apt-config", ["dump"], purpose: "read this host's apt configuration")
        let kept = dump.split(separator: "\n").map(String.init).filter { line in
            line.hasPrefix("Acquire::") && !["IndexTargets", "Changelogs", "GzipIndexes"].contains { line.hasPrefix("Acquire::" + $0) }
        }
        // Plain, whatever the host does (images of containers compress theirs): the hashes of packages are read in them, and theirs are the base's key.
        let plain = "Acquire::GzipIndexes \"false\";"
        try Data(((kept + [plain]).joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: folder + "/apt.conf"))
        try Data(PackageScript.firstStartOfBase.utf8).write(to: URL(fileURLWithPath: folder + "/first-start"))
        try Data(Self.distributionSources(debian.suite).utf8).write(to: URL(fileURLWithPath: folder + "/sources.list"))
        let passwords = "/etc/apt/auth.conf.d"
        if let names = try? FileManager.default.contentsOfDirectory(atPath: passwords), !names.isEmpty {
            // A host without such a folder has no passwords to give.
            try FileManager.default.copyItem(atPath: passwords, toPath: folder + "/auth.conf.d")
        }
    }

    /// Joins the installed packages (on its input) with the hashes that the indices have of them.
    private static let hashes = #"""
        NR == FNR { want[$1 " " $2 " " $3] = 1; next }
        /^Package: / { p = $2 } /^Version: / { v = $2 } /^Architecture: / { a = $2 } /^SHA256: / { s = $2 }
        /^$/ { k = p " " a " " v; if (k in want) { print p ":" a " " v " sha256:" s; delete want[k] } p = v = a = s = "" }
        END { for (k in want) { split(k, w, " "); print w[1] ":" w[2] " " w[3] " -" } }
        """#

    private static func compare(_ found: [String], _ locked: [String]) throws {
        let found = Set(found)
        let gone = locked.filter { !found.contains($0) }
        if gone.isEmpty, found.count == locked.count { return }
        let names = gone.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
        throw BuildError(
            "gone", "the archive does not have the base that \(TerrineLock.fileName) names any more", cause: names.joined(separator: "\n"),
            fix: "take what there is now with `terrine build --update base`, or give this host's apt a mirror (a snapshot) that still has it")
    }

    /// What a machine's `/etc/apt/sources.list` says, wherever its packages came from.
    package static func distributionSources(_ suite: String) -> String {
        var lines = ["deb http://deb.debian.org/debian \(suite) main"]
        if suite != "sid" && suite != "unstable" {
            lines += ["deb http://deb.debian.org/debian \(suite)-updates main", "deb http://security.debian.org/debian-security \(suite)-security main"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The host's own sources of this suite, where it has them; else mmdebstrap's default, which is the distribution's.
    private func hostSources() -> [String] { AptSources.host().lines(suite: debian.suite) }

    private func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}
