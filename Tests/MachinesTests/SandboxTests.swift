import Foundation
import Glibc
import Linux
import Testing

@testable import Machines

@Suite("Sandbox machines under a real runc", .serialized)
struct SandboxTests {
    @Test("a process runs as the machine's root, in namespaces that were made ahead, and its exit code comes through")
    func exitCode() throws {
        guard SandboxNeeds.met else { return }
        let sandbox = try SmallSandbox()
        let result = try sandbox.run(sandbox.bundle("id -u; cat /proc/self/uid_map; cat /proc/sys/kernel/hostname; ls /sys/class/net; touch /made; exit 37"))
        #expect(result.status == .exited(37), "\(result.errors)")
        #expect(result.output.split(whereSeparator: \.isWhitespace) == ["0", "0", "\(sandbox.firstHostID)", "65536", "small", "lo"])
        var status = stat()
        #expect(stat(sandbox.root + "/made", &status) == 0 && status.st_uid == sandbox.firstHostID)
    }

    @Test("what would reach the host's kernel is refused or hidden")
    func confined() throws {
        guard SandboxNeeds.met else { return }
        let sandbox = try SmallSandbox()
        let script = """
            mount -t tmpfs none /tmp 2>&1 | grep -o 'permission denied\\|Operation not permitted' ; unshare -U true 2>&1 | grep -o 'Operation not permitted'
            cat /proc/kcore 2>/dev/null | grep -c . ; ls /sys/firmware | grep -c . ; cat /proc/keys; echo x 2>/dev/null > /proc/sys/kernel/hostname || echo read-only
            grep -E 'Seccomp:|CapBnd' /proc/self/status; cat /proc/self/oom_score_adj; ls /dev
            """
        let result = try sandbox.run(sandbox.bundle(script))
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.prefix(5) == ["permission denied", "Operation not permitted", "0", "0", "read-only"], "\(result.output)\(result.errors)")
        #expect(lines.contains("Seccomp:\t2") && lines.contains("CapBnd:\t00000000a80425fb"), "\(result.output)")
        #expect(lines.contains("shm") && lines.contains("mqueue") && lines.contains("urandom") && lines.contains("ptmx"), "\(result.output)")
    }

    @Test("binds, limits and another user hold")
    func settings() throws {
        guard SandboxNeeds.met else { return }
        let sandbox = try SmallSandbox()
        try sandbox.folder.write("given/file", "of the host\n")
        var bundle = sandbox.bundle(
            "cat /run/given/file; echo x 2>/dev/null > /run/given/file || echo read-only; id -u; id -g; id -G; grep -c . /proc/self/cgroup >/dev/null && echo grouped"
        )
        bundle.binds = [Bind(source: sandbox.folder.path + "/given", target: "/run/given", readOnly: true)]
        bundle.process.user = try UserLookup.find("worker", in: RootedFolder(sandbox.root))
        (bundle.cpus, bundle.memory, bundle.pids) = (0.5, 64 << 20, 50)
        let result = try sandbox.run(bundle)
        #expect(result.output == "of the host\nread-only\n1000\n1000\n1000 26\ngrouped\n", "\(result.errors)")
    }

    @Test("the bundle names what the runtime needs and no more")
    func document() throws {
        let bundle = SandboxBundle(
            process: ProcessSpecification(arguments: ["/init"], environment: [:], workingFolder: "/", user: .root), hostname: "m", rootPath: "/r",
            userNamespacePath: "/proc/1/fd/5", firstHostID: 7, networkNamespacePath: "/proc/1/fd/6",
            cgroupsPath: "/terrine/x", cpus: 1.5, memory: 1 << 30, pids: nil, binds: [Bind(source: "/a", target: "/b", readOnly: true)])
        let document = try #require(try JSONSerialization.jsonObject(with: Data(try bundle.json().utf8)) as? [String: Any])
        let linux = try #require(document["linux"] as? [String: Any])
        let namespaces = try #require(linux["namespaces"] as? [[String: String]])
        #expect(
            namespaces.map { "\($0["type"] ?? "")=\($0["path"] ?? "")" } == [
                "user=/proc/1/fd/5", "network=/proc/1/fd/6", "pid=", "mount=", "ipc=", "uts=", "cgroup=",
            ])
        let seccomp = try #require(linux["seccomp"] as? [String: Any])
        #expect((seccomp["architectures"] as? [String])?.contains("SCMP_ARCH_X32") == false)
        let resources = try #require(linux["resources"] as? [String: Any])
        #expect((resources["cpu"] as? [String: Int]) == ["period": 100_000, "quota": 150_000])
        #expect((resources["pids"] as? [String: Int]) == ["limit": SandboxBundle.defaultPids])
        #expect((resources["memory"] as? [String: Int])?["limit"] == 1 << 30)
        let mounts = try #require(document["mounts"] as? [[String: Any]])
        #expect(mounts.map { $0["destination"] as? String } == ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup", "/b"])
        #expect(try bundle.json() == bundle.json())
    }
}
