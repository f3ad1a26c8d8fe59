import Glibc

/// The machine's process 1: does nothing but reap orphans, and ends when it is told to.
///
/// A static program of the host, laid into the machine at run time, so that every image has one whatever libraries it holds.
enum FirstProcess {
    /// Where the program is in the machine: on its `/dev`, which is no part of its disk.
    static let target = "/dev/terrine/init"

    private static let known: [(path: String, arguments: [String])] = [
        ("/usr/bin/catatonit", ["-P"]), ("/usr/libexec/podman/catatonit", ["-P"]), ("/usr/libexec/catatonit/catatonit", ["-P"]),
    ]

    /// The command, and what must be laid into the machine for it.
    static func choose() throws -> (command: [String], binds: [Bind]) {
        for program in known where access(program.path, X_OK) == 0 {
            return ([target] + program.arguments, [Bind(source: program.path, target: target, readOnly: true)])
        }
        throw MachineError(
            "missing", "this host has no init for machines", cause: "catatonit is not installed", fix: "`apt-get install catatonit`")
    }
}
