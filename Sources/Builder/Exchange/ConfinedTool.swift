import Foundation
import Glibc
import Linux

/// Programs of the host that read what a stranger made: as a user who owns nothing, without a network, capabilities, or more memory and time than they need.
///
/// They see no file by name that not everyone may read; what they work on they get as open descriptors.
enum ConfinedTool {
    /// A user that no account has and no machine's range holds, so that nothing of this host belongs to it.
    private static let user: uid_t = 2_147_483_632
    private static let seconds = 1800
    private static let memory: Int64 = 8 << 30

    /// - Parameters:
    ///   - arguments: name the files as `/proc/self/fd/3` and so on.
    ///   - files: descriptor number -> file.
    ///   - fileBytes: how long a file may become.
    static func run(
        _ program: String, _ arguments: [String], files: [Int32: Descriptor], fileBytes: Int64 = 1 << 20, purpose: String
    ) throws -> CapturedOutput {
        try HostTool.require(program, purpose: purpose)
        let isRoot = geteuid() == 0
        var words = ["--net", "--ipc"] + (isRoot ? [] : ["--user"])
        words += ["prlimit", "--cpu=\(seconds)", "--as=\(memory)", "--fsize=\(fileBytes)", "--nofile=256", "--core=0"]
        if isRoot {
            words += ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
            // It opens them again by the names of its descriptors, which asks for the file's own permissions.
            for file in files.values { try check("give away", "a scratch file") { fchown(file.raw, user, user) } }
        }
        var command = Command("unshare", words + [program] + arguments)
        command.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"]
        command.workingFolder = "/"
        command.descriptors = files.mapValues(\.raw)
        command.kept = Array(files.values)
        return try command.capture()
    }
}
