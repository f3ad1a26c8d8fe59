/// A goal that was not reached: what a diagnoser looks at.
public struct Failure: Sendable {
    /// What was run.
    public var command: String
    public var exitCode: Int32
    /// Both streams, as they were printed.
    public var output: String
    /// Absolute paths that were looked for and never found, when the run was traced.
    public var missedFiles: [String]
    /// Programs that were to be started and never found.
    public var missedPrograms: [String]
    public var goalKind: Goal.Kind?

    /// The last line that says anything; the command where none does.
    var lastLine: String {
        Evidence.shown(output.split(whereSeparator: \.isNewline).last { !$0.trimmingSpaces.isEmpty }.map(String.init) ?? command)
    }

    public init(
        command: String, exitCode: Int32, output: String, missedFiles: [String] = [], missedPrograms: [String] = [], goalKind: Goal.Kind? = nil
    ) {
        (self.command, self.exitCode, self.output) = (command, exitCode, output)
        (self.missedFiles, self.missedPrograms, self.goalKind) = (missedFiles, missedPrograms, goalKind)
    }
}
