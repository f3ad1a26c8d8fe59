/// What a build tells while it runs, in order. Steps are named by their place in the plan.
public enum BuildEvent: Sendable, Equatable {
    case planned(recipe: String, steps: [String])
    /// Another process builds this very step.
    case waiting(step: Int)
    case cached(step: Int)
    /// `reason` says why it was not cached.
    case started(step: Int, reason: String)
    case output(step: Int, line: String)
    /// What was printed is kept as layers now.
    case packing(step: Int)
    /// `bytes`: of the disk that the step changed, nil when that is not known.
    case finished(step: Int, milliseconds: Int, bytes: Int64?)
    case failed(step: Int, milliseconds: Int)
    case checkStarted(name: String)
    case checkOutput(name: String, line: String)
    /// `problem`: what is wrong, such as `ended with 3, not 0`; nil when it passed.
    case checkFinished(name: String, problem: String?, milliseconds: Int)
    case note(String)
}

/// Shows or records events. Called from any thread.
public protocol BuildReporter: Sendable {
    func report(_ event: BuildEvent)
    /// Nothing comes after this.
    func finish()
}

/// Shows nothing.
public struct SilentReporter: BuildReporter {
    public init() {}
    public func report(_ event: BuildEvent) {}
    public func finish() {}
}
