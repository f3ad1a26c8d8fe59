import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import Recipes
import Synchronization
import Testing

@testable import Builder

@Suite("Builds")
struct PlanRunnerTests {
    /// A workspace with a recipe, a store, and machines that are folders.
    private final class Bench: Sendable {
        let home: TestFolder
        let work: TestFolder
        let images: ImageStore
        let host: FakeStepHost

        init(_ steps: String, rest: String = "") throws {
            home = try TestFolder()
            work = try TestFolder()
            images = try ImageStore(home: home.path)
            host = FakeStepHost(images: images, folder: home)
            try host.makeBase("base:1")
            try work.write("terrine.yaml", "version: 1\nname: app\nbase: base:1\nenv: { GREETING: hello }\nsteps:\n\(steps)\n\(rest)\n")
            try work.write("a.txt", "a")
            try work.write("b.txt", "b")
            try work.write("README", "read me")
        }

        func build(_ reporter: any BuildReporter = SilentReporter(), cancellation: Cancellation = Cancellation()) throws -> BuildResult {
            try PlanRunner(images: images, host: host, reporter: reporter, cancellation: cancellation).run(plan())
        }

        func plan() throws -> Plan { try Plan.make(Recipe.load(work.path)) }

        /// The names of steps that a build would run, with why.
        func pending() throws -> [String] {
            try PlanStatus(plan(), images: images).steps.filter { !$0.isCached }.map { "\($0.name): \($0.reason ?? "")" }
        }
    }

    private static let twoSteps = """
          - { name: first, run: cat a.txt > first.out, inputs: [a.txt] }
          - { name: second, run: cat first.out b.txt > second.out; echo $GREETING >> second.out, inputs: [b.txt] }
        """

    @Test("steps build on each other, and a second build runs nothing and writes nothing")
    func cached() throws {
        let bench = try Bench(Self.twoSteps)
        let first = try bench.build()
        #expect(first.steps.map(\.isCached) == [true, false, false, false])
        #expect(try bench.host.read("/workspace/second.out", in: first.image) == "abhello\n")
        #expect(try bench.host.read("/workspace/README", in: first.image) == "read me")
        #expect(try bench.images.resolve("app").digest == first.image.digest)
        #expect(first.image.machine.workingFolder == "/workspace" && first.image.environment["GREETING"] == "hello")

        let machines = bench.host.started
        let before = try bench.home.sh("find . -newermt @0 -type f -printf '%P %T@\\n' | grep -v -e sqlite -e lock | sort")
        let second = try bench.build()
        #expect(second.steps.filter { !$0.isCached }.isEmpty)
        #expect(second.image.digest == first.image.digest)
        #expect(bench.host.started == machines)
        #expect(try bench.home.sh("find . -newermt @0 -type f -printf '%P %T@\\n' | grep -v -e sqlite -e lock | sort") == before)
    }

    @Test("a recipe whose steps were all cached from another folder still tells by name what changed since")
    func reasonAfterCachedBuild() throws {
        let bench = try Bench(Self.twoSteps)
        _ = try bench.build()
        let copy = try TestFolder()
        for name in ["terrine.yaml", "a.txt", "b.txt", "README"] { try copy.write(name, String(contentsOfFile: bench.work.path + "/" + name, encoding: .utf8)) }
        func plan() throws -> Plan { try Plan.make(Recipe.load(copy.path)) }
        let built = try PlanRunner(images: bench.images, host: bench.host).run(plan())
        #expect(built.steps.filter { !$0.isCached }.isEmpty)
        try copy.write("b.txt", "B")
        let reasons = try PlanStatus(plan(), images: bench.images).steps.filter { !$0.isCached }.map { "\($0.name): \($0.reason ?? "")" }
        #expect(reasons == ["second: input b.txt changed", "workspace: input b.txt changed"])
    }

    @Test("a changed input reruns its step and those after it; a changed file that no step declares, the thin last layer alone")
    func invalidation() throws {
        let bench = try Bench(Self.twoSteps)
        _ = try bench.build()
        try bench.work.write("README", "new")
        #expect(try bench.pending() == ["workspace: input README changed"])
        let third = try bench.build()
        #expect(try bench.host.read("/workspace/README", in: third.image) == "new")

        try bench.work.write("b.txt", "B")
        #expect(try bench.pending() == ["second: input b.txt changed", "workspace: input b.txt changed"])
        let fourth = try bench.build()
        #expect(fourth.steps.map(\.isCached) == [true, true, false, false])
        #expect(try bench.host.read("/workspace/second.out", in: fourth.image) == "aBhello\n")
    }

    @Test("a new time or a touched file is no change; a new service makes the last layer anew")
    func whatCounts() throws {
        let bench = try Bench(Self.twoSteps)
        _ = try bench.build()
        try bench.work.sh("touch -d @1 a.txt README")
        #expect(try bench.pending() == [])
        try bench.work.sh("echo 'services: [{ name: web, run: sleep 1 }]' >> terrine.yaml; printf 'terrine.yaml\\n' > .terrineignore")
        let pending = try bench.pending()
        #expect(pending.count == 1 && pending[0].hasPrefix("workspace: ") && pending[0].contains("service web"))
        #expect(try bench.build().image.machine.services.map(\.name) == ["web"])
    }

    @Test("files keep their modification time and execute bit, and one that is the same is not touched")
    func placement() throws {
        let bench = try Bench("  - { name: first, run: 'test -x a.txt; chmod 644 b.txt', inputs: [a.txt, b.txt] }")
        try bench.work.sh("chmod 755 a.txt; touch -d @1234567890 a.txt; ln -s a.txt link")
        let image = try bench.build().image
        var status = stat()
        #expect(lstat(bench.host.path("/workspace/a.txt", in: image), &status) == 0 && status.st_mtim.tv_sec == 1_234_567_890)
        #expect(try bench.work.sh("readlink \(bench.host.path("/workspace/link", in: image))") == "a.txt")

        let root = try RootedFolder(bench.home.path)
        let placement = InputPlacement(root: root, owner: .root)
        let inputs = try bench.plan().steps[1].inputs
        try placement.place(inputs)
        try bench.home.sh("touch -d @99 workspace/a.txt")
        try placement.place(inputs)
        #expect(try bench.home.sh("stat -c %Y workspace/a.txt") == "99")
    }

    @Test("a file that changes while the build runs stops it: the key would lie")
    func changedMeanwhile() throws {
        let bench = try Bench(Self.twoSteps)
        let plan = try bench.plan()
        try bench.work.write("a.txt", "other")
        let error = #expect(throws: BuildError.self) { try PlanRunner(images: bench.images, host: bench.host).run(plan) }
        #expect(error?.code == "inputChanged")
    }

    @Test("a failed step says its last lines, keeps the layers before it and its own disk")
    func failedStep() throws {
        let bench = try Bench(
            """
              - { name: first, run: cat a.txt > first.out, inputs: [a.txt] }
              - { name: second, run: "echo state > left; echo first line; echo last line >&2; exit 3", inputs: [] }
            """)
        let error = #expect(throws: BuildError.self) { try bench.build() }
        #expect(error?.code == "stepFailed" && error?.message == "the step `second` ended with 3" && error?.cause == "first line\nlast line")
        let failed = try #require(try FailedSteps(images: bench.images).latest(bench.work.path))
        #expect(failed.step.step == "second" && failed.step.exitCode == 3 && failed.step.workingFolder == "/workspace")
        #expect(try bench.host.read("/workspace/left", in: failed.image) == "state\n")
        #expect(throws: ImageError.self) { try bench.images.resolve("app") }

        try bench.work.sh("sed -i 's/exit 3/exit 0/' terrine.yaml")
        #expect(try bench.build().steps.map(\.isCached) == [true, true, false, false])
        #expect(try FailedSteps(images: bench.images).latest(bench.work.path) == nil)
    }

    @Test("two builds that need the same step make it once")
    func singleFlight() throws {
        let bench = try Bench(Self.twoSteps)
        let results = Mutex<[Digest]>([])
        let threads = try (0..<3).map { _ in
            try PlainThread {
                if let result = try? bench.build() { results.withLock { $0.append(result.image.digest) } }
            }
        }
        for thread in threads { thread.join() }
        #expect(results.withLock { $0.count } == 3)
        #expect(Set(results.withLock { $0 }).count == 1)
        #expect(bench.host.started == 3)
    }

    @Test("a build that is stopped ends at once, and the next one goes on after its last finished step")
    func cancelled() throws {
        let bench = try Bench(
            """
              - { name: first, run: cat a.txt > first.out, inputs: [a.txt] }
              - { name: second, run: "echo ready; if [ -e b.txt ]; then sleep 1000; fi", inputs: [b.txt] }
            """)
        let cancellation = Cancellation()
        let reporter = RecordingReporter { if case .output(_, "ready") = $0 { cancellation.cancel() } }
        let error = #expect(throws: BuildError.self) { try bench.build(reporter, cancellation: cancellation) }
        #expect(error?.code == "cancelled")
        #expect(try FailedSteps(images: bench.images).latest(bench.work.path) == nil)
        #expect(try PlanStatus(bench.plan(), images: bench.images).steps.map(\.isCached) == [true, true, false, false])
    }

    @Test("an image that fails its checks is kept as unverified, and takes nobody's name")
    func checks() throws {
        let bench = try Bench(
            Self.twoSteps,
            rest: """
                checks:
                  - { name: works, run: cat second.out, expect: { output: { contains: [abhello] } } }
                  - { name: lies, run: "echo oh no; exit 4" }
                """)
        let error = #expect(throws: BuildError.self) { try bench.build() }
        #expect(error?.code == "checksFailed" && error?.message == "the check `lies` ended with 4, not 0" && error?.cause == "oh no")
        #expect(throws: ImageError.self) { try bench.images.resolve("app") }
        let kept = try bench.images.resolve("app:unverified")

        try bench.work.sh("sed -i 's/exit 4/exit 0/' terrine.yaml; echo terrine.yaml > .terrineignore")
        _ = try bench.build()
        let machines = bench.host.started
        let again = try bench.build()
        #expect(bench.host.started == machines)
        #expect(again.image.digest != kept.digest)
    }

    @Test("the workspace's git history comes with the last layer, as a clean clone")
    func git() throws {
        let bench = try Bench(Self.twoSteps)
        try bench.work.sh("git init -q -b main .; git add .; git -c user.name=t -c user.email=t@example.com commit -q -m one; touch .git/hooks/evil")
        let image = try bench.build().image
        let workspace = bench.host.path("/workspace", in: image)
        #expect(try bench.work.sh("git -c safe.directory='*' -C \(workspace) log --format=%s") == "one")
        #expect(try bench.work.sh("git -c safe.directory='*' -C \(workspace) status --porcelain") == "?? first.out\n?? second.out")
        #expect(!FileManager.default.fileExists(atPath: workspace + "/.git/hooks/evil"))
    }
}
