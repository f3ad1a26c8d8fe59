import Glibc
import Linux

/// apt's programs on this host, which know its mirrors, proxies and passwords.
enum AptProgram {
    /// Runs one to its end.
    ///
    /// - Parameter purpose: to follow "cannot".
    @discardableResult
    static func run(_ program: String, _ arguments: [String], purpose: String) throws -> String {
        let result: CapturedOutput
        // What it says is looked at, so it is to speak one language.
        do { result = try Command("env", ["LC_ALL=C", program] + arguments).capture() } catch let error as LinuxError { throw missing(purpose, "\(error)") }
        guard result.status == .exited(0) else {
            let words = (result.errors + result.output).split(separator: "\n").suffix(8).joined(separator: "\n")
            throw AutoinstallError(
                "aptFailed", "cannot \(purpose): \(program) ended with \(result.status.code)", cause: words,
                fix: "check that this host's apt reaches its mirrors (`apt-get update`); `terrine doctor` says more")
        }
        return result.output
    }

    private static func missing(_ purpose: String, _ cause: String) -> AutoinstallError {
        AutoinstallError("missingTool", "cannot \(purpose)", cause: cause, fix: "apt-get install apt; `terrine doctor` says what else is missing")
    }

    /// Gives `body` a file's content, decompressed, in parts of whole lines.
    static func lines(of file: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var ends: [Int32] = [0, 0]
        try check("make", "a pipe") { pipe(&ends) }
        let reading = Descriptor(owning: ends[0])
        var command = Command("/usr/lib/apt/apt-helper", ["cat-file", file])
        command.descriptors[1] = ends[1]
        let child: pid_t
        do {
            // Ours must go, or the end of the child's is never seen.
            defer { close(ends[1]) }
            child = try command.start()
        } catch let error as LinuxError { throw missing("read \(file)", "\(error)") }
        do { try pour(reading, body) } catch {
            kill(child, SIGKILL)
            // Why it is stopped is the error that counts.
            _ = try? waitForExit(of: child)
            throw error
        }
        let status = try waitForExit(of: child)
        guard status == .exited(0) else { throw AutoinstallError("aptFailed", "cannot read \(file): apt-helper ended with \(status.code)") }
    }

    private static func pour(_ source: Descriptor, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 4 << 20)
        var held = 0
        while true {
            // A line that long is none.
            if held == buffer.count { held = 0 }
            let count = try buffer.withUnsafeMutableBytes { bytes in
                try check("read", "an index") { read(source.raw, bytes.baseAddress.map { $0 + held }, bytes.count - held) }
            }
            held += count
            let end = count == 0 ? held : (buffer[..<held].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0)
            try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<end])) }
            if count == 0 { return }
            buffer.withUnsafeMutableBytes { bytes in
                if let base = bytes.baseAddress { memmove(base, base + end, held - end) }
            }
            held -= end
        }
    }
}
