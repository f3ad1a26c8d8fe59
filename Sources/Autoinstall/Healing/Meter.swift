import Foundation

/// What attempts cost, and what one that was ended by the time had been at.
struct Meter: Sendable {
    /// A step or goal that had not ended.
    struct Interrupted: Sendable, CustomStringConvertible {
        enum Phase: String, Sendable { case step, goal }

        let phase: Phase
        let name: String
        let duration: Duration

        var description: String { "\(phase.rawValue) `\(name)` after \(duration.formatted(.units(allowed: [.minutes, .seconds], width: .narrow)))" }
    }

    /// In package managers, steps and goals.
    var spent = Duration.zero
    var interrupted: Interrupted?
}
