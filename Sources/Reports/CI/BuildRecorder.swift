import Builder
import Synchronization

/// Keeps what a build tells, for reports, and hands it on to who shows it.
public final class BuildRecorder: BuildReporter {
    private let next: any BuildReporter
    private let state = Mutex((steps: [CIReport.Step](), checks: [CIReport.Check]()))

    public init(_ next: any BuildReporter) { self.next = next }

    public var steps: [CIReport.Step] { state.withLock { $0.steps } }
    public var checks: [CIReport.Check] { state.withLock { $0.checks } }

    public func finish() { next.finish() }

    public func report(_ event: BuildEvent) {
        state.withLock { state in
            func step(_ index: Int, _ body: (inout CIReport.Step) -> Void) { if state.steps.indices.contains(index) { body(&state.steps[index]) } }
            func check(_ name: String, _ body: (inout CIReport.Check) -> Void) {
                if let index = state.checks.lastIndex(where: { $0.name == name }) { body(&state.checks[index]) }
            }
            switch event {
            case .planned(_, let names): state.steps = names.map { CIReport.Step(name: $0) }
            case .cached(let index): step(index) { $0.outcome = .cached }
            case .started(let index, let reason): step(index) { $0.reason = reason }
            case .output(let index, let line): step(index) { $0.output.add(line) }
            case .finished(let index, let time, let bytes): step(index) { ($0.outcome, $0.milliseconds, $0.changedBytes) = (.done, time, bytes) }
            case .failed(let index, let time): step(index) { ($0.outcome, $0.milliseconds) = (.failed, time) }
            case .checkStarted(let name): state.checks.append(CIReport.Check(name: name))
            case .checkOutput(let name, let line): check(name) { $0.output.add(line) }
            case .checkFinished(let name, let problem, let time):
                check(name) { ($0.outcome, $0.problem, $0.milliseconds) = (problem == nil ? .passed : .failed, problem, time) }
            case .waiting, .packing, .note: break
            }
        }
        next.report(event)
    }
}

/// The last lines of what was printed, so that a report stays one that a service takes.
public struct KeptOutput: Sendable, Equatable {
    /// Bytes.
    static let limit = 64 << 10
    private var lines: [String] = []
    private var bytes = 0
    /// How many lines came before those that are kept.
    public private(set) var dropped = 0

    public init() {}

    mutating func add(_ line: String) {
        lines.append(line)
        bytes += line.utf8.count + 1
        // In larger pieces: taking one line off the front moves all others.
        if bytes > 2 * Self.limit {
            while bytes > Self.limit, lines.count > 1 {
                let half = max(1, lines.count / 2)
                bytes -= lines[..<half].reduce(0) { $0 + $1.utf8.count + 1 }
                lines.removeFirst(half)
                dropped += half
            }
        }
    }

    public var isEmpty: Bool { lines.isEmpty }
    public var text: String { (dropped > 0 ? "(\(dropped) lines before this are left out)\n" : "") + lines.joined(separator: "\n") }
    public func last(_ count: Int) -> String { lines.suffix(count).joined(separator: "\n") }
}
