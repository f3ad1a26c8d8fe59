import Linux

/// Programs of the host that a build needs: run to their end, their words kept for the error.
enum HostTool {
    /// Debian packages by program, for the advice when one is missing.
    private static let packages = [
        "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "dumpe2fs": "e2fsprogs", "git": "git", "unshare": "util-linux",
        "apt-config": "apt",
    ]

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
            let package = packages[program] ?? program
            throw BuildError(
                "missingTool", "cannot \(purpose): this host has no `\(program)`", fix: "apt-get install \(package); `terrine doctor` says what else is missing"
            )
        }
        guard result.status == .exited(0) else {
            let words = (result.errors + result.output).split(separator: "\n").suffix(12).joined(separator: "\n")
            throw BuildError("toolFailed", "cannot \(purpose): \(program) ended with \(result.status.code)", cause: words)
        }
        return result.output
    }
}
