import Foundation
import Glibc
import Linux

/// Programs of the host that a build needs: run to their end, their words kept for the error.
enum HostTool {
    /// Debian packages by program, for the advice when one is missing.
    private static let packages = [
        "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "dumpe2fs": "e2fsprogs", "git": "git", "git-lfs": "git-lfs",
        "unshare": "util-linux", "setpriv": "util-linux", "prlimit": "util-linux", "e2fsck": "e2fsprogs", "qemu-img": "qemu-utils",
        "apt-config": "apt",
    ]

    /// Says early that a program is missing which another one is to start.
    static func require(_ program: String, purpose: String) throws {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        if !path.split(separator: ":").contains(where: { access("\($0)/\(program)", X_OK) == 0 }) { throw missing(program, purpose) }
    }

    private static func missing(_ program: String, _ purpose: String) -> BuildError {
        BuildError(
            "missingTool", "cannot \(purpose): this host has no `\(program)`",
            fix: "apt-get install \(packages[program] ?? program); `terrine doctor` says what else is missing")
    }

    /// Runs a program and returns what it printed.
    ///
    /// - Parameters:
    ///   - environment: the whole of it as `KEY=VALUE`; this process's own when nil.
    ///   - purpose: what it is for, to follow "cannot".
    @discardableResult
    static func run(
        _ program: String, _ arguments: [String], environment: [String]? = nil, input: String = "", purpose: String
    ) throws -> String {
        var command = Command(program, arguments)
        command.environment = environment
        let result: CapturedOutput
        do {
            result = try command.capture(input: input)
        } catch let error as LinuxError where error.code == 2 {
            throw missing(program, purpose)
        }
        guard result.status == .exited(0) else {
            let words = (result.errors + result.output).split(separator: "\n").suffix(12).joined(separator: "\n")
            throw BuildError("toolFailed", "cannot \(purpose): \(program) ended with \(result.status.code)", cause: words)
        }
        return result.output
    }
}
