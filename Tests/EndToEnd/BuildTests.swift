import Foundation
import Testing

@Suite("Builds", .serialized, .enabled(if: MachineNeeds.met))
struct BuildTests {
    struct Built: Decodable {
        struct Step: Decodable {
            let name: String
            let cached: Bool
        }
        let image: String
        let digest: String
        let steps: [Step]
        var ran: [String] { steps.filter { !$0.cached }.map(\.name) }
    }

    private static let steps = """
        steps:
          - { name: first, run: "cat one.txt > /first; echo first >> /order", inputs: [one.txt] }
          - { name: second, run: "cat two.txt > /second; echo second >> /order", inputs: [two.txt] }

        """

    @Test("a second build finds every step cached; a changed input reruns its step and those after it, another file none")
    func cache() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.steps)
            try home.write("work/one.txt", "one\n")
            try home.write("work/two.txt", "two\n")
            try home.write("work/README", "hello\n")
            func build() throws -> Built { try home.terrine("build", folder, "-t", "it:1", "--json", expect: 0).json() }

            let first = try build()
            #expect(first.image == "it:1")
            #expect(first.ran == ["base tar:base.tar", "first", "second", "workspace"])
            let again = try build()
            #expect(again.ran.isEmpty)
            #expect(again.digest == first.digest)

            try home.write("work/two.txt", "changed\n")
            let changed = try build()
            #expect(changed.ran == ["second", "workspace"])
            #expect(changed.digest != first.digest)

            try home.write("work/README", "good day\n")
            #expect(try build().ran == ["workspace"])
            let seen = try home.terrine("run", "it:1", "--", "cat", "/first", "/second", "/order", "/workspace/README", expect: 0)
            #expect(seen.output == "one\nchanged\nfirst\nsecond\ngood day\n")
        }
    }

    @Test("a failed step shows what it printed last, keeps the steps before it, and its disk can be looked at")
    func failure() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(
                """
                steps:
                  - { name: good, run: "echo ok > /good", inputs: [] }
                  - { name: bad, run: "echo half > /half; echo this went wrong >&2; exit 3", inputs: [] }

                """)
            let run = try home.terrine("build", folder, expect: 1)
            #expect(run.errors.contains("this went wrong"))
            #expect(run.errors.contains("shell --failed"))
            let plan = try home.terrine("plan", folder, expect: 0).output
            #expect(plan.split(separator: "\n").contains { $0.contains("good") && $0.contains("cached") })
        }
    }

    @Test("checks run on a machine that is thrown away, and an image that fails them is kept as unverified")
    func checks() throws {
        try Home.with { home in
            let folder = try home.writeRecipe("checks:\n  - { run: \"touch /checked && test -e /nowhere\" }\n")
            try home.terrine("build", folder, "-t", "it:1", expect: 1)
            #expect(try home.terrine("run", "it:unverified", "--", "test", "-e", "/checked").code == 1)
        }
    }
}
