import Builder
import Synchronization

/// Keeps what the steps of a build print and how long they take, and passes everything on.
final class StepJournal: BuildReporter {
    private struct State {
        var lines: [Int: [String]] = [:]
        var sizes: [Int: Int] = [:]
        var started: [Int: ContinuousClock.Instant] = [:]
        var failed: Int?
        var cached: Set<Int> = []
        var spent = Duration.zero
        var names: [String] = []
        var goal: (name: String, started: ContinuousClock.Instant)?
    }

    /// Of one step's output, in bytes; what came first goes when there is more.
    private static let limit = 8 << 20

    private let state = Mutex(State())
    private let next: any BuildReporter

    init(_ next: any BuildReporter) { self.next = next }

    func report(_ event: BuildEvent) {
        state.withLock { state in
            switch event {
            case .planned(_, let steps): state.names = steps
            case .checkStarted(let name): state.goal = (name, .now)
            case .checkFinished: state.goal = nil
            case .started(let step, _):
                // A layer of packages starts twice: to find versions, and to install them.
                let now = ContinuousClock.now
                if let earlier = state.started.updateValue(now, forKey: step) { state.spent += now - earlier }
            case .cached(let step): state.cached.insert(step)
            case .output(let step, let line):
                state.lines[step, default: []].append(line)
                state.sizes[step, default: 0] += line.utf8.count + 1
                if state.sizes[step, default: 0] > Self.limit, var lines = state.lines[step] {
                    for line in lines.prefix(lines.count / 2) { state.sizes[step, default: 0] -= line.utf8.count + 1 }
                    lines.removeFirst(lines.count / 2)
                    state.lines[step] = lines
                }
            case .finished(let step, _, _), .failed(let step, _):
                if let start = state.started.removeValue(forKey: step) { state.spent += ContinuousClock.now - start }
                if case .failed = event { state.failed = step }
            default: break
            }
        }
        next.report(event)
    }

    func finish() { next.finish() }

    /// The step that failed, by its place in the plan, and what it printed.
    var failure: (step: Int, output: String)? {
        state.withLock { state in state.failed.map { ($0, (state.lines[$0] ?? []).joined(separator: "\n")) } }
    }

    /// The goal, or else the step, that began and has not ended.
    var running: Meter.Interrupted? {
        state.withLock { state in
            if let goal = state.goal { return .init(phase: .goal, name: goal.name, duration: .now - goal.started) }
            guard let (step, started) = state.started.max(by: { $0.value < $1.value }) else { return nil }
            let name = state.names.indices.contains(step) ? state.names[step] : "\(step + 1)"
            return .init(phase: .step, name: name, duration: .now - started)
        }
    }

    /// How many steps were found made.
    var cachedSteps: Int { state.withLock { $0.cached.count } }

    /// In steps that ran.
    var spent: Duration { state.withLock { $0.spent } }
}
