import Foundation
import Testing

@testable import Autoinstall

/// Outputs of tools, and what they lack: `@@ name`, the output, then a line `=> lack` for each.
struct DiagnosisFixture: Sendable, CustomStringConvertible {
    let name: String
    var output: String
    var lacks: [String]

    var description: String { name }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/Diagnosis").path

    static func read(_ file: String) -> [DiagnosisFixture] {
        let text = try! String(contentsOfFile: "\(folder)/\(file).txt", encoding: .utf8)
        var fixtures: [DiagnosisFixture] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("@@ ") {
                fixtures.append(DiagnosisFixture(name: String(line.dropFirst(3)), output: "", lacks: []))
            } else if line.hasPrefix("=> ") {
                fixtures[fixtures.count - 1].lacks.append(String(line.dropFirst(3)))
            } else if !fixtures.isEmpty {
                fixtures[fixtures.count - 1].output += line + "\n"
            }
        }
        return fixtures
    }

    static func write(_ fixtures: [DiagnosisFixture], _ file: String) throws {
        let text = fixtures.map { fixture in
            var output = fixture.output
            while output.hasSuffix("\n\n") { output.removeLast() }
            return "@@ \(fixture.name)\n\(output)" + fixture.lacks.map { "=> \($0)\n" }.joined()
        }
        try text.joined().write(toFile: "\(folder)/\(file).txt", atomically: true, encoding: .utf8)
    }
}

extension Failure {
    init(_ output: String) { self.init(command: "make test", exitCode: 1, output: output) }
}

extension Lack {
    var told: String { confidence == .certain ? "\(self)" : "\(self) (\(confidence.rawValue))" }
}
