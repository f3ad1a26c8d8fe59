import Foundation
import Glibc
import Linux
import Testing

/// What a host must allow for machines; a laptop that does not skips these tests, CI fails.
enum MachineNeeds {
    static let met = have()

    /// The same, and programs that a test needs beside.
    static func have(_ more: String...) -> Bool {
        var missing: [String] = []
        if geteuid() != 0 { missing.append("root") }
        for path in ["/dev/fuse", "/dev/loop-control"] where access(path, R_OK | W_OK) != 0 { missing.append(path) }
        for program in ["runc", "mke2fs", "busybox", "tar"] + more
        where !["/usr/bin/", "/usr/sbin/", "/sbin/", "/bin/"].contains(where: { access($0 + program, X_OK) == 0 }) {
            missing.append(program)
        }
        if missing.isEmpty { return true }
        if ProcessInfo.processInfo.environment["CI"] != nil {
            Issue.record("CI must give these tests \(missing.joined(separator: ", "))")
        } else {
            print("skipped: needs \(missing.joined(separator: ", "))")
        }
        return false
    }
}

/// A base of 2 MiB, of this host's static busybox: machines as real as any, without a mirror.
extension Home {
    /// Writes `work/terrine.yaml`, a recipe over the small base, with `more` at its end.
    @discardableResult
    func writeRecipe(_ more: String = "", in folder: String = "work") throws -> String {
        try write("\(folder)/terrine.yaml", "version: 1\nname: small\nbase: tar:base.tar\nresources: { disk: 1GiB }\n" + more)
        try write("\(folder)/.terrineignore", "base.tar\n")
        let tar = "\(path)/\(folder)/base.tar"
        if !FileManager.default.fileExists(atPath: tar) { try makeBase(tar) }
        return path + "/" + folder
    }

    /// A home with the image `small:1`, which is the base and nothing else.
    static func withImage(sourceLocation: SourceLocation = #_sourceLocation, _ body: (Home) throws -> Void) throws {
        try with(sourceLocation: sourceLocation) { home in
            try home.terrine("build", home.writeRecipe(), "-t", "small:1", expect: 0, sourceLocation: sourceLocation)
            try body(home)
        }
    }

    private func makeBase(_ tar: String) throws {
        let script = """
            set -e
            mkdir -p "$1/bin" "$1/etc" "$1/root" "$1/home" "$1/tmp" "$1/var/tmp" "$1/proc" "$1/sys" "$1/dev" "$1/run" "$1/usr/bin"
            chmod 1777 "$1/tmp" "$1/var/tmp"
            cp "$(command -v busybox)" "$1/bin/busybox"
            for name in $(busybox --list); do [ "$name" = busybox ] || ln -s /bin/busybox "$1/bin/$name"; done
            ln -s /bin/busybox "$1/usr/bin/env"
            printf 'root:x:0:0:root:/root:/bin/sh\\nuser:x:1000:1000::/home:/bin/sh\\n' > "$1/etc/passwd"
            printf 'root:x:0:\\nuser:x:1000:\\n' > "$1/etc/group"
            tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$1" -cf "$2" .
            """
        let tree = path + "/base"
        let made = try Command("sh", ["-c", script, "sh", tree, tar]).capture()
        try #require(made.status == .exited(0), "\(made.errors)")
        try FileManager.default.removeItem(atPath: tree)
    }
}
