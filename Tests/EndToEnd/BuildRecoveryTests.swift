import Foundation
import Glibc
import Linux
import Testing

@Suite("Builds that do not end well", .serialized, .enabled(if: MachineNeeds.met))
struct BuildRecoveryTests {
    @Test("the disk of a failed step opens as it was, until the steps go well; an image that fails its checks takes no name")
    func failure() throws {
        try Home.with { home in
            let steps = "env: { GREETING: hello }\nsteps:\n  - { name: broken, run: \"echo left > here; echo why; exit 3\", inputs: [] }\n"
            let folder = try home.writeRecipe(steps)
            let run = try home.terrine("build", folder, expect: 1)
            #expect(run.errors.contains("error: the step `broken` ended with 3: why\n"))
            #expect(try home.terrine("shell", "--failed", folder, input: "cat here; echo $GREETING\n", expect: 0).output == "left\nhello\n")

            let mended = steps.replacingOccurrences(of: "exit 3", with: "exit 0") + "checks: [{ name: lies, run: exit 4 }]\n"
            try home.writeRecipe(mended)
            #expect(try home.terrine("build", folder, expect: 1).errors.contains("the check `lies` ended with 4, not 0"))
            #expect(try home.terrine("shell", "--failed", folder, expect: 125).errors.contains("no step of"))
            try home.terrine("run", "small:unverified", "--", "test", "-e", "here", expect: 0)
            try home.terrine("run", "small:latest", "--", "true", expect: 125)
        }
    }

    @Test("a cache lives on between builds and is in no layer; a step ends with its script, whatever that left running")
    func caches() throws {
        try Home.with { home in
            let run = "sleep 1000 & echo note > /dev/stderr; echo run >> $TERRINE_CACHE_RUNS/count; cp $TERRINE_CACHE_RUNS/count runs"
            let folder = try home.writeRecipe("steps:\n  - { name: counted, run: \"\(run)\", inputs: [], caches: [runs], timeout: 60s }\n")
            for _ in 0..<2 { try home.terrine("build", folder, "--no-cache", expect: 0) }
            let seen = try home.terrine("run", folder, "--", "sh", "-c", "cat runs; test -e /dev/terrine/caches || echo none", expect: 0)
            #expect(seen.output == "run\nrun\nnone\n")
        }
    }

    @Test("a build that is interrupted or killed leaves nothing behind, and the next one goes on after its last finished step", arguments: [SIGINT, SIGKILL])
    func interrupted(_ signal: Int32) throws {
        try Home.with { home in
            let steps = """
                steps:
                  - { name: first, run: "echo first > first", inputs: [] }
                  - { name: slow, run: "touch $TERRINE_CACHE_SEEN/now; sleep 1000", inputs: [], caches: [seen] }

                """
            let folder = try home.writeRecipe(steps)
            var command = Command(Home.program, ["build", folder, "-q"])
            command.environment =
                ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }.filter { !$0.hasPrefix("TERRINE_HOME=") } + ["TERRINE_HOME=\(home.path)"]
            command.newSession = true
            let build = try command.start()
            // The step says that it runs by a file in its cache.
            waitUntil(lookingEvery: 100_000, atMost: 600) { files(below: home.path + "/caches").contains("now") }
            #expect(files(below: home.path + "/caches").contains("now"))
            #expect(kill(build, signal) == 0)
            #expect(try waitForExit(of: build) == (signal == SIGINT ? .exited(130) : .signalled(SIGKILL)))

            try home.writeRecipe(steps.replacingOccurrences(of: "; sleep 1000", with: ""))
            let built = try home.terrine("build", folder, "--json", expect: 0).json(BuildTests.Built.self)
            #expect(built.ran == ["slow", "workspace"])
            try home.terrine("verify", expect: 0)
        }
    }

    private func files(below folder: String) -> Set<String> {
        // Until the step begins there is no such folder.
        let found = FileManager.default.enumerator(atPath: folder)?.compactMap { ($0 as? String)?.split(separator: "/").last.map(String.init) }
        return Set(found ?? [])
    }
}
