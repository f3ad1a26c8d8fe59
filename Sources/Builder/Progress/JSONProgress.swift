import Foundation
import Synchronization

/// A JSON object a line: `{"event":"started","step":"compile","number":3,…}`.
public final class JSONProgress: BuildReporter {
    private struct Line: Encodable {
        var event: String
        /// Of several that are built side by side.
        var image: String?
        /// Counted from 1.
        var number: Int?
        var step: String?
        var steps: [String]?
        var recipe: String?
        var reason: String?
        var line: String?
        var check: String?
        var passed: Bool?
        var milliseconds: Int?
        var bytes: Int64?
        var message: String?

        init(_ event: String) { self.event = event }
    }

    private let names = Mutex<[String]>([])
    private let image: String?
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - image: which one this is, when several are built side by side.
    ///   - write: takes a line without its end; this process's stderr if not said.
    public init(image: String? = nil, write: @escaping @Sendable (String) -> Void = standardErrorLine) { (self.image, self.write) = (image, write) }

    public func finish() {}

    public func report(_ event: BuildEvent) {
        names.withLock { names in
            if case .planned(_, let steps) = event { names = steps }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // Texts and numbers: nothing that JSON could not hold.
            var line = line(event, names)
            line.image = image
            guard let data = try? encoder.encode(line) else { return }
            write(String(decoding: data, as: UTF8.self))
        }
    }

    private func line(_ event: BuildEvent, _ names: [String]) -> Line {
        func step(_ name: String, _ index: Int) -> Line {
            var line = Line(name)
            (line.number, line.step) = (index + 1, names.indices.contains(index) ? names[index] : nil)
            return line
        }
        var line: Line
        switch event {
        case .planned(let recipe, let steps):
            line = Line("planned")
            (line.recipe, line.steps) = (recipe, steps)
        case .waiting(let index): line = step("waiting", index)
        case .cached(let index): line = step("cached", index)
        case .started(let index, let reason):
            line = step("started", index)
            line.reason = reason
        case .output(let index, let text):
            line = step("output", index)
            line.line = text
        case .packing(let index): line = step("packing", index)
        case .finished(let index, let time, let bytes):
            line = step("finished", index)
            (line.milliseconds, line.bytes) = (time, bytes)
        case .failed(let index, let time):
            line = step("failed", index)
            line.milliseconds = time
        case .checkStarted(let name):
            line = Line("checkStarted")
            line.check = name
        case .checkOutput(let name, let text):
            line = Line("checkOutput")
            (line.check, line.line) = (name, text)
        case .checkFinished(let name, let problem, let time):
            line = Line("checkFinished")
            (line.check, line.passed, line.milliseconds) = (name, problem == nil, time)
        case .note(let text):
            line = Line("note")
            line.message = text
        }
        return line
    }
}
