import Foundation
import Glibc
import Images
import Recipes
import Testing

@testable import Builder

@Suite("Repositories beside the workspace")
struct RepositoryTests {
    private static let identity = "git config user.email t@example.com; git config user.name T"

    private func checkout(_ folder: TestFolder, _ name: String, depth: Int? = nil, partial: Bool = false, lfs: Bool = true, at target: String) throws {
        let url = "file://\(folder.path)/\(name)"
        let commit = try folder.sh("git -C \(name) rev-parse HEAD")
        let clone = PlanStep.Clone(
            url: url, localPath: nil, path: "/srv/x", ref: "main", commit: commit, depth: depth, isPartial: partial, hasSubmodules: true, hasLargeFiles: lfs)
        try RepositoryCheckout(cache: GitCache(home: folder.path + "/home"), scratch: folder.path).make(clone, at: folder.path + "/" + target)
    }

    @Test("submodules arrive at the commits that the repository names, and what a stranger's .gitmodules must not reach is refused")
    func submodules() throws {
        let folder = try TestFolder()
        try folder.sh(
            """
            export GIT_ALLOW_PROTOCOL=file
            git init -q -b main inner; cd inner; \(Self.identity); echo deep > deep; git add .; git commit -q -m deep; cd ..
            git init -q -b main lib; cd lib; \(Self.identity); echo one > f; git add .; git submodule --quiet add ../inner inner; git commit -q -m one; cd ..
            git init -q -b main top; cd top; \(Self.identity); git submodule --quiet add ../lib vendor/lib; git commit -q -m top; cd ..
            cd lib; echo two > f; git commit -q -a -m two
            """)
        try checkout(folder, "top", at: "new")
        #expect(try folder.read("new/vendor/lib/f") == "one\n")
        #expect(try folder.read("new/vendor/lib/inner/deep") == "deep\n")
        #expect(try folder.sh("git -C new status --porcelain; git -C new submodule status --recursive | cut -c1") == "")
        let module = Submodule(name: "x", path: "x", url: "", branch: nil, commit: "")
        func address(_ url: String, _ parent: String) throws -> String {
            try Submodule(name: module.name, path: module.path, url: url, branch: nil, commit: "").address(relativeTo: parent)
        }
        #expect(try address("../b.git", "https://example.com/a/top.git") == "https://example.com/a/b.git")
        #expect(try address("../b", "git@example.com:a/top") == "git@example.com:a/b")
        #expect(try address("git@example.com:b.git", "https://example.com/a") == "git@example.com:b.git")
        for bad in ["file:///etc", "/etc", "ext::sh -c x", "--upload-pack=x", "ssh://-oProxyCommand=x/y"] {
            #expect(throws: BuildError.self) { try address(bad, "https://example.com/a") }
        }
    }

    @Test("large files are in the place of their pointers, fetched once for all builds")
    func largeFiles() throws {
        let folder = try TestFolder()
        try folder.sh(
            """
            git init -q -b main big; cd big; \(Self.identity); git lfs install --local --skip-smudge >/dev/null; git lfs track '*.bin' >/dev/null
            head -c 300000 /dev/urandom > a.bin; sha256sum < a.bin > ../sum; echo text > t; git add .; git commit -q -m big
            """)
        try checkout(folder, "big", at: "new")
        #expect(try folder.sh("sha256sum < new/a.bin") == folder.read("sum").trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(try folder.sh("ls -A new/.git/hooks new/.git/lfs 2>/dev/null || true; git -C new status --porcelain") == "")
        try checkout(folder, "big", lfs: false, at: "pointers")
        #expect(try folder.read("pointers/a.bin").hasPrefix("version https://git-lfs"))
        // Objects of a repository that lost them are in the cache.
        try folder.sh("rm -r big/.git/lfs/objects")
        try checkout(folder, "big", at: "again")
        #expect(try folder.sh("cmp new/a.bin again/a.bin && echo same") == "same")
    }

    @Test("a shallow clone has the commits that were asked for, a partial one the files of its commit alone")
    func shallowAndPartial() throws {
        let folder = try TestFolder()
        try folder.sh(
            """
            git init -q -b main source; cd source; \(Self.identity); git config uploadpack.allowFilter true; git config uploadpack.allowAnySHA1InWant true
            for i in 1 2 3 4; do seq $i 20000 > f; git add f; git commit -q -m $i; done
            """)
        try checkout(folder, "source", depth: 2, at: "thin")
        #expect(try folder.sh("git -C thin log --format=%s; git -C thin status --porcelain; head -n 1 thin/f") == "4\n3\n4")
        try checkout(folder, "source", partial: true, at: "partial")
        #expect(try folder.sh("git -C partial log --format=%s | wc -l; git -C partial status --porcelain; head -n 1 partial/f") == "4\n4")
        #expect(try folder.sh("git -C partial rev-list --objects --missing=print HEAD | grep -c '^?'") == "3")
        // What is missing comes from where it was cloned.
        #expect(try folder.sh("git -C partial show HEAD~1:f | head -n 1") == "3")
    }

    @Test("only what is new is fetched; builds at the same time share the cache")
    func incremental() throws {
        let folder = try TestFolder()
        try folder.sh("git init -q -b main source; cd source; \(Self.identity); head -c 2000000 /dev/urandom > big; git add .; git commit -q -m 1")
        try checkout(folder, "source", at: "one")
        try folder.sh("cd source; echo small > small; git add .; git commit -q -m 2")
        let before = Int(try folder.sh("du -sk home/caches/git | cut -f1")) ?? 0
        DispatchQueue.concurrentPerform(iterations: 4) { number in
            #expect(throws: Never.self) { try checkout(folder, "source", at: "two\(number)") }
        }
        #expect(try folder.sh("cat two0/small two3/small") == "small\nsmall")
        #expect((Int(try folder.sh("du -sk home/caches/git | cut -f1")) ?? 0) - before < 500)
        #expect(try folder.sh("git --git-dir=$(ls -d home/caches/git/*/ | head -n 1) fsck --no-dangling >/dev/null 2>&1 && echo sound") == "sound")
    }

    @Test("a new commit makes a thin layer over the steps; a step that says that it needs the repository runs again")
    func thinLayer() throws {
        let folder = try TestFolder()
        let work = try TestFolder()
        try folder.sh(
            "for r in a b; do git init -q -b main $r; (cd $r; \(Self.identity); echo one > f; git add .; git commit -q -m 1); done")
        let images = try ImageStore(home: folder.path + "/home")
        let host = FakeStepHost(images: images, folder: folder)
        try host.makeBase("base:1")
        try work.write(
            "terrine.yaml",
            """
            version: 1
            name: app
            base: base:1
            repositories:
              - { url: "file://\(folder.path)/a", path: /srv/a, ref: main }
              - { url: "file://\(folder.path)/b", path: /srv/b, ref: main }
            steps:
              - { name: apart, run: test ! -e ../srv/a && echo x > out, inputs: [] }
              - { name: needs, run: cat ../srv/a/f > a.out, inputs: [], repositories: [/srv/a] }

            """)
        func build() throws -> BuildResult { try PlanRunner(images: images, host: host).run(Plan.make(Recipe.load(work.path))) }
        func ran(_ result: BuildResult) -> [String] { result.steps.filter { !$0.isCached }.map { String($0.name.prefix { $0 != ":" }) } }
        #expect(try ran(build()) == ["apart", "needs", "repositories", "workspace"])
        #expect(try ran(build()) == [])
        try folder.sh("cd b; echo two > f; rm -f gone; git commit -q -a -m 2")
        let second = try build()
        #expect(ran(second) == ["repositories", "workspace"])
        #expect(try host.read("/srv/b/f", in: second.image) == "two\n")
        let commit = try folder.sh("git -C b rev-parse HEAD")
        #expect(second.image.labels["terrine.repository./srv/b"] == "file://\(folder.path)/b \(commit)")
        #expect(try images.resolve("app").labels["terrine.repository./srv/a"] != nil)
        try folder.sh("cd a; echo two > f; git commit -q -a -m 2")
        #expect(try ran(build()) == ["needs", "repositories", "workspace"])
    }
}
