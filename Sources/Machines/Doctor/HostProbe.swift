import Disks
import Foundation
import Glibc
import Linux

/// The checks that mount something, in a process and a mount namespace of their own: whatever happens to it, nothing is left mounted.
public enum HostProbe {
    /// What was tried, in this order; each needs those before it.
    private static let loss = [
        "namespaces": ("user and network namespaces", "sysctl -w user.max_user_namespaces=65536 user.max_net_namespaces=65536"),
        "fuse": ("a FUSE mount", "modprobe fuse"),
        "file system": ("an ext4 file system in a file", "apt-get install e2fsprogs"),
        "loop": ("a loop device with direct I/O", "modprobe loop; and keep the home on a file system with direct I/O, such as ext4 or XFS"),
        "ext4": ("an ext4 mount, frozen and thawed", "modprobe ext4"),
        "id-mapped mount": ("an ext4 mount with mapped owners", "run Linux 5.12 or later"),
    ]

    /// The body of the hidden `__probe FOLDER` process: a line of JSON for each check.
    public static func main(_ arguments: [String]) -> Int32 {
        guard let folder = arguments.first else { return 2 }
        do {
            try enterPrivateMountNamespace()
            let namespaces = try attempt("namespaces", "each machine gets its own") {
                try MachineNamespaces(firstHostID: 200_000, count: 65_536, withNetwork: true)
            }
            try attempt("fuse", "/dev/fuse mounts") {
                try makeFolder(folder + "/fuse")
                let device = try mountFUSE(at: folder + "/fuse")
                try unmount(folder + "/fuse", lazily: true)
                _ = device
            }
            try attempt("file system", "mke2fs makes one") { try makeDisk(folder + "/disk") }
            let loop = try attempt("loop", "with direct I/O, in \((folder as NSString).deletingLastPathComponent)") {
                try LoopDevice.attach(file: folder + "/disk")
            }
            defer { try? loop.detach() }  // The kernel takes it apart anyhow when this process has ended.
            try attempt("ext4", "mounts, freezes, thaws") {
                try makeFolder(folder + "/mounted")
                try mount(loop.path, at: folder + "/mounted", type: "ext4", [.noSetUID, .noDevices])
                let fileSystem = try FileSystem(at: folder + "/mounted")
                try fileSystem.freeze()
                try fileSystem.thaw()
            }
            defer { try? unmount(folder + "/mounted", lazily: true) }  // As above: the namespace goes with this process.
            try attempt("id-mapped mount", "owners are mapped") {
                try makeFolder(folder + "/mapped")
                try mountMapped(folder + "/mounted", at: folder + "/mapped", userNamespace: namespaces.user)
                try unmount(folder + "/mapped")
            }
            return 0
        } catch {
            // What failed was told by its own line, and what needs it cannot be tried.
            return 1
        }
    }

    /// The body of the hidden `__private COMMAND…` process: becomes the command, in a mount namespace of its own. The tests run so in a chroot.
    public static func runPrivately(_ arguments: [String]) -> Int32 {
        do {
            let folder = FileManager.default.currentDirectoryPath
            try enterPrivateMountNamespace()
            try check("change to", folder) { chdir(folder) }
            return try Command(arguments.first ?? "sh", Array(arguments.dropFirst())).run().code
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            return 125
        }
    }

    private static func attempt<T>(_ name: String, _ found: String, _ body: () throws -> T) throws -> T {
        do {
            let result = try body()
            tell(HostCheck(name, .ok, found))
            return result
        } catch {
            let (what, fix) = loss[name] ?? (name, "")
            tell(HostCheck(name, .missing, "\(what) failed: \(error)", fix: fix))
            throw error
        }
    }

    private static func tell(_ check: HostCheck) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A check of two strings always encodes.
        if let line = try? encoder.encode(check) { print(String(decoding: line, as: UTF8.self)) }
    }

    private static func makeFolder(_ path: String) throws { try check("make", path) { mkdir(path, 0o700) } }

    private static func makeDisk(_ path: String) throws {
        let file = try Descriptor(path, O_RDWR | O_CREAT)
        try check("grow", path) { ftruncate(file.raw, 16 << 20) }
        let made = try Command("mke2fs", ["-q", "-F", "-t", "ext4", "-b", "4096", path]).capture()
        guard made.status == .exited(0) else { throw MachineError("mke2fs", "cannot make a file system in \(path)", cause: made.errors) }
    }
}

extension HostReport {
    static func probes(home: String, executable: String) -> [HostCheck] {
        let folder = "\(existingFolder(of: home))/.terrine-probe-\(getpid())"
        guard mkdir(folder, 0o700) == 0 else {
            let reason = String(cString: strerror(errno))
            return [HostCheck("home", .missing, "nothing can be written for \(home): \(reason)", fix: "choose another home with TERRINE_HOME")]
        }
        // An empty folder that stays is a blemish, not a failure.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let result = try Command(executable, ["__probe", folder]).capture()
            let decoder = JSONDecoder()
            var checks = try result.output.split(separator: "\n").map { try decoder.decode(HostCheck.self, from: Data($0.utf8)) }
            if result.status != .exited(0), !checks.contains(where: { $0.status == .missing }) {
                checks.append(HostCheck("probe", .missing, "the probe ended with \(result.status.code): \(result.errors)"))
            }
            return checks
        } catch {
            return [HostCheck("probe", .missing, "the probe cannot be run: \(error)")]
        }
    }
}
