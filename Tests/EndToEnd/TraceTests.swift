import Foundation
import Testing

@Suite("lint --trace", .serialized, .enabled(if: MachineNeeds.met))
struct TraceTests {
    private struct Findings: Decodable {
        struct Finding: Decodable {
            let rule: String
            let line: Int
            let message: String
        }
        let findings: [Finding]
    }

    @Test("what a step opens and does not declare is found by running it, and --fix declares it")
    func trace() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(
                """
                # Our recipe.
                steps:
                  - name: flow
                    run: cat main.c > /out; [ ! -e config.h ] || cat config.h >> /out
                    inputs: [main.c]  # the source
                  - name: block
                    run: for f in data/*; do cat "$f"; done > /data
                    inputs:
                      - data/a
                  - { name: exact, run: cat main.c, inputs: [main.c] }

                """)
            for (name, text) in ["main.c": "m\n", "config.h": "c\n", "data/a": "a\n", "data/b c": "b\n", "unread": "u\n"] {
                try home.write("work/\(name)", text)
            }
            let found = try home.terrine("lint", folder, "--trace", "--json", expect: 1).json(Findings.self).findings
            #expect(
                found.map(\.message) == [
                    "the step `flow` opens what it does not declare: config.h", "the step `block` opens what it does not declare: data/b c",
                ])
            #expect(found.allSatisfy { $0.rule == "undeclared-input" })
            try home.terrine("lint", folder, "--fix", expect: 0)
            let text = try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8)
            #expect(text.contains("    inputs: [main.c, config.h]  # the source\n") && text.contains("      - data/a\n      - data/b c\n"))
            #expect(try home.terrine("lint", folder, "--trace", expect: 0).output.isEmpty)
        }
    }
}
