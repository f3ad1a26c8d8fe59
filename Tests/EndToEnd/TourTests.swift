import Foundation
import Linux
import Testing

/// README's tour, as a new user types it: the page itself is what is run.
///
/// The one test of this target that makes a Debian base and installs packages, since the tour does: it takes as long as that.
@Suite("The tour in README.md", .serialized, .enabled(if: MachineNeeds.met))
struct TourTests {
    private static let readme = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md").path

    /// A command of the page and what the page says that it prints.
    private struct Shown {
        let command: String
        var output: [String] = []
    }

    private static func blocks(_ kind: String) throws -> [String] {
        let parts = try String(contentsOfFile: readme, encoding: .utf8).components(separatedBy: "```")
        // Between fences: every second part, its kind in its first line.
        return stride(from: 1, to: parts.count, by: 2).map { parts[$0] }.filter { $0.hasPrefix(kind + "\n") }.map { String($0.dropFirst(kind.count + 1)) }
    }

    private static func shown() throws -> [Shown] {
        var commands: [Shown] = []
        for line in try blocks("").joined().split(separator: "\n").map(String.init) {
            if line.hasPrefix("$ ") {
                commands.append(Shown(command: String(line.dropFirst(2))))
            } else if !commands.isEmpty {
                commands[commands.count - 1].output.append(line)
            }
        }
        return commands
    }

    /// A line without what differs from run to run: digests, times, sizes, numbers of processes, made-up names, widths of columns.
    private static func shape(_ line: String) -> String {
        var line = line
        line.replace(/sha256:[0-9a-f]+…?/, with: "DIGEST")
        line.replace(/\b[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]+Z)?/, with: "DATE")
        line.replace(/\b[0-9a-f]{12}\b/, with: "HEX")
        line.replace(/\b[0-9.]+ (KiB|MiB|GiB|B)\b/, with: "SIZE")
        line.replace(/\b[0-9.]+ (ms|s)\b/, with: "TIME")
        line.replace(/\b[a-z]+-[a-z]+-[0-9]{3}\b/, with: "NAME")
        line.replace(/\b[0-9]{3,}\b/, with: "NUMBER")
        line.replace(/\s+/, with: " ")
        return line.trimmingCharacters(in: .whitespaces)
    }

    @Test("every command of it does what the page says, and prints what the page shows")
    func tour() throws {
        let shown = try Self.shown()
        #expect(shown.count >= 12)
        try Home.with { home in
            let recipe = try #require(Self.blocks("yaml").first)
            try home.write("tour/terrine.yaml", recipe)
            try home.write("tour/Makefile", "hello: hello.c\n\tcc -O2 -o hello hello.c\n")
            let source = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n"
            try home.write("tour/hello.c", source)
            for (number, example) in shown.enumerated() {
                // As the page tells between the first build and the plan.
                if example.command == "terrine plan" { try home.write("tour/hello.c", "/* changed */\n" + source) }
                let words = try Self.words(example.command)
                try #require(words.first == "terrine", "\(example.command): no command of terrine's")
                let run = try home.terrine(Array(words.dropFirst()), in: home.path + "/tour", expect: 0)
                let printed = (run.output + run.errors).split(separator: "\n").map { Self.shape(String($0)) }
                for line in example.output where line != "…" {
                    #expect(
                        printed.contains(Self.shape(line)),
                        "command \(number + 1), `\(example.command)`: README.md shows `\(line)`, printed was:\n\(run.output)\(run.errors)")
                }
            }
        }
    }

    /// The words of a command, as the shell takes it apart.
    private static func words(_ command: String) throws -> [String] {
        let split = try Command("sh", ["-c", "for word in \(command); do printf '%s\\n' \"$word\"; done"]).capture()
        try #require(split.status == .exited(0), "\(split.errors)")
        return split.output.split(separator: "\n").map(String.init)
    }
}
