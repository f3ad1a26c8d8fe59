import Foundation
import Glibc
import Linux

/// One thing that this host has or lacks.
public struct HostCheck: Sendable, Codable, Equatable {
    public enum Status: String, Sendable, Codable {
        case ok
        /// Something is slower or missing that a machine can do without.
        case warning
        /// No machine runs without it.
        case missing
    }

    public let name: String
    public let status: Status
    /// What was found, or what is lost without it.
    public let found: String
    /// The command or the change that mends it.
    public let fix: String?

    init(_ name: String, _ status: Status, _ found: String, fix: String? = nil) {
        (self.name, self.status, self.found, self.fix) = (name, status, found, fix)
    }
}

/// What this host can do for machines, found out by doing it: a device that opens proves little.
public struct HostReport: Sendable, Codable {
    public let checks: [HostCheck]
    /// Whether a machine can run here.
    public let ready: Bool

    /// Looks at the host; takes a fraction of a second, and leaves nothing behind.
    ///
    /// - Parameters:
    ///   - home: where images and machines are to be; it need not exist.
    ///   - executable: this program, which is started as `__probe` for what must not happen in the caller's own mount namespace.
    public static func make(home: String, executable: String = "/proc/self/exe") -> HostReport {
        let isRoot = geteuid() == 0
        var checks = [
            HostCheck(
                "root", isRoot ? .ok : .missing, isRoot ? "this process is root" : "this process is user \(geteuid()): it may not mount disks",
                fix: isRoot ? nil : "run terrine as root: `sudo terrine …`")
        ]
        checks.append(kernel())
        checks += programs() + libraries()
        checks += controlGroups()
        checks += isRoot ? probes(home: home, executable: executable) : []
        checks.append(space(home: home))
        return HostReport(checks: checks, ready: !checks.contains { $0.status == .missing })
    }

    private static func kernel() -> HostCheck {
        let (release, version) = (KernelVersion.release, KernelVersion.number)
        if version < 5012 {
            return HostCheck(
                "kernel", .missing, "Linux \(release) has no id-mapped mounts, which 5.12 brought",
                fix: "run a newer kernel: 5.12 at least, 6.9 or later is better")
        }
        if version < 6009 {
            return HostCheck(
                "kernel", .warning, "Linux \(release) cannot send FUSE requests again: a machine ends when its supervisor is killed",
                fix: "run Linux 6.9 or later")
        }
        return HostCheck("kernel", .ok, "Linux \(release), which sends FUSE requests again when a supervisor died")
    }

    private static func space(home: String) -> HostCheck {
        let folder = existingFolder(of: home)
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return HostCheck("space", .warning, "cannot tell how much room \(folder) has") }
        let free = Int64(status.f_bavail) * Int64(status.f_frsize)
        let text = "\(free >> 30) GiB free for \(home)"
        if free < 4 << 30 {
            return HostCheck("space", .warning, text + ": a base alone takes one while it is made", fix: "`terrine gc`, or another home with TERRINE_HOME")
        }
        return HostCheck("space", .ok, text)
    }

    /// The nearest folder at or above `path` that exists.
    static func existingFolder(of path: String) -> String {
        var url = URL(fileURLWithPath: path)
        var isFolder: ObjCBool = false
        while url.path != "/", !(FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue) {
            url.deleteLastPathComponent()
        }
        return url.path
    }
}
