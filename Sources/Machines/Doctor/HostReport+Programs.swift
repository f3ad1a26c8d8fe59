import Foundation
import Glibc
import Linux

extension HostReport {
    /// A program of the host: its Debian package, what is lost without it, and how it tells its version.
    private struct Program {
        let name: String
        let package: String
        let status: HostCheck.Status
        let loss: String
        var versionArguments: [String] = ["--version"]
    }

    private static let needed = [
        Program(name: "runc", package: "runc", status: .missing, loss: "no machine runs"),
        Program(name: "catatonit", package: "catatonit", status: .missing, loss: "machines have no first process"),
        Program(name: "mke2fs", package: "e2fsprogs", status: .missing, loss: "no file system is made", versionArguments: ["-V"]),
        Program(name: "nft", package: "nftables", status: .missing, loss: "machines have no open network"),
        Program(name: "mmdebstrap", package: "mmdebstrap", status: .warning, loss: "no base is made; a base that is there already still works"),
        Program(name: "qemu-img", package: "qemu-utils", status: .warning, loss: "no qcow2 disk is written or read"),
        Program(name: "git", package: "git", status: .warning, loss: "no work tree with a repository goes into an image"),
    ]

    static func programs() -> [HostCheck] {
        needed.map { program in
            let said: String
            do {
                let result = try Command(program.name, program.versionArguments).capture()
                said = (result.output + result.errors).split(separator: "\n").first.map(String.init) ?? ""
            } catch {
                return HostCheck(program.name, program.status, "\(program.name) cannot be run: \(program.loss)", fix: "apt-get install \(program.package)")
            }
            return HostCheck(program.name, .ok, said.trimmingCharacters(in: .whitespaces))
        }
    }

    /// What is opened when it is first needed.
    static func libraries() -> [HostCheck] {
        let name = "libcurl"
        guard let library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL) else {
            return [HostCheck(name, .warning, "libcurl cannot be loaded: registries are not reached", fix: "apt-get install libcurl4")]
        }
        defer { dlclose(library) }
        let version = dlsym(library, "curl_version").map { unsafeBitCast($0, to: (@convention(c) () -> UnsafePointer<CChar>?).self) }
        return [HostCheck(name, .ok, version.flatMap { $0() }.map { String(cString: $0).split(separator: " ").prefix(2).joined(separator: " ") } ?? "libcurl")]
    }

    static func controlGroups() -> [HostCheck] {
        let wanted = ["cpu", "memory", "pids"]
        let root = "/sys/fs/cgroup"
        let kind: String
        let there: [String]
        if let controllers = readSmallFile(root + "/cgroup.controllers") {
            kind = "v2"
            there = controllers.split(whereSeparator: \.isWhitespace).map(String.init)
        } else {
            kind = access(root + "/unified/cgroup.procs", F_OK) == 0 ? "v1 and v2 side by side (hybrid)" : "v1"
            there = wanted.filter { access("\(root)/\($0)/cgroup.procs", F_OK) == 0 }
        }
        let missing = wanted.filter { !there.contains($0) }
        if missing.isEmpty { return [HostCheck("cgroups", .ok, "\(kind), with \(wanted.joined(separator: ", "))")] }
        if missing.count == wanted.count {
            return [HostCheck("cgroups", .missing, "no control groups at \(root)", fix: "mount -t cgroup2 none \(root)")]
        }
        return [
            HostCheck(
                "cgroups", .warning, "\(kind), without \(missing.joined(separator: ", ")): such limits of a machine do not hold",
                fix: "enable these controllers in the kernel's command line")
        ]
    }
}
