import Glibc
import Synchronization

/// A line for each thing that happens, for logs: nothing is drawn over.
public final class PlainProgress: BuildReporter {
    private struct State: Sendable {
        var names: [String] = []
    }
    private let state = Mutex(State())
    private let showsOutput: Bool
    private let showsCached: Bool
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - showsOutput: whether what steps print is shown.
    ///   - showsCached: whether steps are told that take nothing to make.
    ///   - write: takes a line without its end; this process's stderr if not said.
    public init(showsOutput: Bool = true, showsCached: Bool = true, write: @escaping @Sendable (String) -> Void = standardErrorLine) {
        (self.showsOutput, self.showsCached, self.write) = (showsOutput, showsCached, write)
    }

    public func report(_ event: BuildEvent) {
        // Lines of two threads do not mix.
        state.withLock { state in
            if case .planned(_, let names) = event { state.names = names }
            if let line = line(event, state.names) { write(line) }
        }
    }

    public func finish() {}

    private func line(_ event: BuildEvent, _ names: [String]) -> String? {
        func title(_ step: Int) -> String { "[\(step + 1)/\(names.count)] \(names.indices.contains(step) ? names[step] : "")" }
        switch event {
        case .planned(let recipe, let steps): return !showsCached ? nil : "building \(recipe): \(steps.count) steps"
        case .waiting(let step): return "\(title(step)): another build makes it, waiting"
        case .cached(let step): return !showsCached ? nil : "\(title(step)): cached"
        case .started(let step, let reason): return "\(title(step)): running (\(reason))"
        case .output(let step, let line): return showsOutput ? "[\(step + 1)] \(line)" : nil
        case .packing: return nil
        case .finished(let step, let time, let bytes):
            return "\(title(step)): done in \(Shown.time(time))" + (bytes.map { ", \(Shown.bytes($0)) changed" } ?? "")
        case .failed(let step, let time): return "\(title(step)): failed after \(Shown.time(time))"
        case .checkStarted(let name): return "\(Shown.check(name)): running"
        case .checkOutput(let name, let line): return showsOutput ? "[\(name)] \(line)" : nil
        case .checkFinished(let name, let problem, let time): return "\(Shown.check(name)): \(problem == nil ? "passed" : "failed") in \(Shown.time(time))"
        case .note(let text): return text
        }
    }
}

/// A line on stderr, in one write.
public func standardErrorLine(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    var done = 0
    while done < bytes.count {
        let count = bytes.withUnsafeBytes { Glibc.write(2, $0.baseAddress.map { $0 + done }, bytes.count - done) }
        // A closed stderr is no reason to stop a build.
        if count < 0 && errno != EINTR { return }
        done += max(0, count)
    }
}

/// Figures for people.
enum Shown {
    /// Checks without a name of their own are called `check 1`.
    static func check(_ name: String) -> String { name.hasPrefix("check ") ? name : "check \(name)" }

    static func time(_ milliseconds: Int) -> String {
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        let tenths = milliseconds / 100
        if tenths < 600 { return "\(tenths / 10).\(tenths % 10) s" }
        return "\(tenths / 600) min \((tenths / 10) % 60) s"
    }

    static func bytes(_ bytes: Int64) -> String {
        for (unit, size) in [("GiB", Int64(1) << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= size {
            let tenths = bytes * 10 / size
            return tenths < 1000 ? "\(tenths / 10).\(tenths % 10) \(unit)" : "\(tenths / 10) \(unit)"
        }
        return "\(bytes) bytes"
    }
}
