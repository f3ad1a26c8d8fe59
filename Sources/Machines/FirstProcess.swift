import Glibc

/// The machine's process 1: reaps orphans, passes signals on to the command that the machine is made for, if there is one, and ends with it, or when it
/// is told to.
///
/// A static program of the host, laid into the machine at run time, so that every image has one whatever libraries it holds.
enum FirstProcess {
    /// Where the program is in the machine: on its `/dev`, which is no part of its disk.
    static let target = "/dev/terrine/init"

    private static let known = ["/usr/bin/catatonit", "/usr/libexec/podman/catatonit", "/usr/libexec/catatonit/catatonit"]

    /// The command, and what must be laid into the machine for it.
    ///
    /// - Parameter running: whether a command follows that it is to run.
    static func choose(running: Bool = false) throws -> (command: [String], binds: [Bind]) {
        for program in known where access(program, X_OK) == 0 {
            return ([target, running ? "--" : "-P"], [Bind(source: program, target: target, readOnly: true)])
        }
        throw MachineError(
            "missing", "this host has no init for machines", cause: "catatonit is not installed", fix: "`apt-get install catatonit`")
    }
}
