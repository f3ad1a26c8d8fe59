import CLinux
import Glibc
import Linux
import Synchronization

/// Reads what a command prints through a pipe: line by line to a listener, the last lines and a bounded text kept.
public final class OutputReader: Sendable {
    private struct State: Sendable {
        var partial: [UInt8] = []
        var tail: [String] = []
        var text: [UInt8] = []
        var thread: PlainThread?
        var redactor: Redactor?
    }

    /// A command's stdout and stderr.
    public let input: Descriptor
    private let output: Descriptor
    private let stopped: Descriptor
    private let stopper: Descriptor
    private let state = Mutex(State())
    private let tailLength: Int
    private let textLimit: Int
    private let line: @Sendable (String) -> Void

    /// - Parameters:
    ///   - tail: how many of the last lines are kept.
    ///   - text: how many bytes of the beginning are kept.
    ///   - secrets: what is never shown nor kept.
    public init(tail: Int = 200, text: Int = 0, secrets: [[UInt8]] = [], line: @escaping @Sendable (String) -> Void) throws {
        let (output, input) = try Self.pipe()
        (stopped, stopper) = try Self.pipe()
        // A command may open it again as /dev/stderr, and is another user than this process.
        try check("set the mode of", "a pipe") { fchmod(input.raw, 0o666) }
        (self.output, self.input) = (output, input)
        (tailLength, textLimit, self.line) = (tail, text, line)
        let redactor = secrets.isEmpty ? nil : Redactor(secrets)
        state.withLock { $0.redactor = redactor }
        let thread = try PlainThread { [weak self] in self?.read() }
        state.withLock { $0.thread = thread }
    }

    /// The last lines, once ``finish()`` has returned.
    public var lastLines: [String] { state.withLock { $0.tail } }

    /// The beginning of all that was printed.
    public var text: String { state.withLock { String(decoding: $0.text, as: UTF8.self) } }

    /// Reads what is there and ends, even if some process that was left behind still holds the pipe.
    public func finish() {
        let thread = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        guard let thread else { return }
        var byte: UInt8 = 0
        // A pipe of ours with room in it.
        _ = write(stopper.raw, &byte, 1)
        thread.join()
        flush()
    }

    private static func pipe() throws -> (Descriptor, Descriptor) {
        var ends: [Int32] = [0, 0]
        // Close-on-exec from the start: other threads start programs.
        try check("make", "a pipe") {
            clinux_syscall6(Int(SYS_pipe2), ends.withUnsafeMutableBufferPointer { Int(bitPattern: $0.baseAddress) }, Int(O_CLOEXEC), 0, 0, 0, 0)
        }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var isStopping = false
        while true {
            var entries = [pollfd(fd: output.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: stopped.raw, events: Int16(POLLIN), revents: 0)]
            let ready = poll(&entries, isStopping ? 1 : 2, isStopping ? 0 : -1)
            if ready < 0 && errno == EINTR { continue }
            if ready <= 0 { return }
            if entries[0].revents != 0 {
                let count = Glibc.read(output.raw, &buffer, buffer.count)
                if count <= 0 { return }
                take(buffer[..<count])
            } else {
                isStopping = true
            }
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>, isEnd: Bool = false) {
        let lines: [String] = state.withLock { state in
            var bytes = bytes
            if state.redactor != nil { bytes = (isEnd ? state.redactor?.finish() : state.redactor?.take(bytes))?[...] ?? [] }
            if state.text.count < textLimit { state.text += bytes.prefix(textLimit - state.text.count) }
            state.partial += bytes
            var lines: [String] = []
            // A line without an end must not fill the memory.
            while let end = state.partial.firstIndex(of: 10) ?? (state.partial.count > 16384 ? state.partial.endIndex - 1 : nil) {
                lines.append(Self.shown(state.partial[...end]))
                state.partial.removeSubrange(...end)
            }
            state.tail += lines
            if state.tail.count > tailLength { state.tail.removeFirst(state.tail.count - tailLength) }
            return lines
        }
        for text in lines { line(text) }
    }

    private func flush() {
        take([], isEnd: true)
        let last: String? = state.withLock { state in
            if state.partial.isEmpty { return nil }
            let text = Self.shown(state.partial[...])
            state.partial = []
            state.tail.append(text)
            return text
        }
        if let last { line(last) }
    }

    /// As a terminal would be left showing it: after the last carriage return, without control characters.
    private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        var bytes = bytes
        while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
        if let back = bytes.lastIndex(of: 13) { bytes = bytes[(back + 1)...] }
        let text = String(decoding: bytes, as: UTF8.self).replacing(/\u{1b}\[[0-9;?]*[A-Za-z]/, with: "")
        return String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 32 || $0 == "\t" }))
    }
}
