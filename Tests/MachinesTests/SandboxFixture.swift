import Foundation
import Glibc
import Linux
import Testing

@testable import Machines

/// What a host must allow for these tests; a laptop that does not skips them, CI fails.
enum SandboxNeeds {
    static var met: Bool {
        var missing: [String] = []
        if geteuid() != 0 { missing.append("root") }
        for program in ["runc", "nft", "catatonit"] where !["/usr/bin/", "/usr/sbin/"].contains(where: { access($0 + program, X_OK) == 0 }) {
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

/// A folder of its own that goes with the test.
final class TemporaryFolder: Sendable {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "terrine-sandbox-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        chmod(path, 0o755)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        let url = URL(fileURLWithPath: "\(path)/\(name)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }
}

/// A root of a few of the host's programs with their libraries, and namespaces: enough of a machine for a real runc.
final class SmallSandbox {
    let folder = try! TemporaryFolder()
    let namespaces: MachineNamespaces
    let firstHostID: UInt32 = 0x6fff_0000
    var root: String { folder.path + "/root" }
    private var containers: [String] = []

    init(programs: [String] = ["sh", "cat", "ls", "id", "mount", "unshare", "touch", "grep", "sleep", "stat", "df"]) throws {
        namespaces = try MachineNamespaces(firstHostID: firstHostID, count: 65536, withNetwork: true)
        for part in ["bin", "proc", "sys", "dev", "run", "etc", "tmp"] {
            try FileManager.default.createDirectory(atPath: "\(root)/\(part)", withIntermediateDirectories: true)
        }
        let script = """
            set -e; cd \(root)
            for p in \(programs.joined(separator: " ")); do
              f=$(command -v $p); cp -L $f bin/$p
              for l in $(ldd $f | grep -o '/[^ ]*'); do mkdir -p .$(dirname $l); [ -e .$l ] || cp -L $l .$l; done
            done
            printf 'root:x:0:0:root:/root:/bin/sh\\nworker:x:1000:1000::/home/worker:/bin/sh\\n' > etc/passwd
            printf 'root:x:0:\\nworker:x:1000:\\ntape:x:26:worker\\n' > etc/group
            : > etc/resolv.conf; : > etc/hosts; : > etc/hostname
            chown -R \(firstHostID):\(firstHostID) .
            """
        let result = try Command("sh", ["-c", script]).capture()
        #expect(result.status == .exited(0), "\(result.errors)")
    }

    func bundle(_ script: String) -> SandboxBundle {
        SandboxBundle(
            process: ProcessSpecification(arguments: ["/bin/sh", "-c", script], environment: ["PATH": "/bin"], workingFolder: "/", user: .root),
            hostname: "small", rootPath: root,
            userNamespacePath: "/proc/\(getpid())/fd/\(namespaces.user.raw)", firstHostID: firstHostID,
            networkNamespacePath: "/proc/\(getpid())/fd/\(namespaces.network!.raw)", cgroupsPath: "/terrine-test/\(UUID().uuidString)")
    }

    /// Runs the bundle's process to its end.
    func run(_ bundle: SandboxBundle) throws -> CapturedOutput {
        let id = "t" + UUID().uuidString
        try folder.write("\(id)/config.json", try bundle.json())
        defer {
            for group in ["", "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd", "unified"] {
                rmdir("/sys/fs/cgroup/\(group)/terrine-test")
            }
        }
        return try Command("runc", ["--root", folder.path + "/state", "run", "--bundle", "\(folder.path)/\(id)", id]).capture()
    }
}
