import Foundation
import Recipes
import Testing

@testable import Builder

@Suite("Clean clones")
struct CleanCloneTests {
    private static func repository() throws -> TestFolder {
        let folder = try TestFolder()
        try folder.sh(
            """
            git init -q -b main source; cd source
            git config user.email t@example.com; git config user.name T
            git config remote.origin.url https://user:secret@git.example.com/x.git
            printf '#!/bin/sh\\ntouch /tmp/terrine-hook-ran\\n' > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout
            echo one > a; mkdir d; echo x > d/run; chmod +x d/run; ln -s a link; git add .; git commit -q -m one
            git tag -a v1 -m v1; git checkout -q -b side; echo two > b; git add b; git commit -q -m two; git checkout -q main
            """)
        return folder
    }

    @Test("history, branches and tags arrive; hooks and credentials do not")
    func wholeRepository() throws {
        let folder = try Self.repository()
        let git = try #require(try GitRepository(at: folder.path + "/source"))
        try CleanClone.make(
            from: git.folder, refs: git.refs(), head: .branch(try #require(try git.headRef())), at: folder.path + "/new", checkOut: true)
        #expect(try folder.sh("git -C new status --porcelain") == "")
        #expect(try folder.sh("git -C new log --format=%s side") == "two\none")
        #expect(try folder.sh("git -C new describe --tags") == "v1")
        #expect(try folder.sh("git -C new rev-parse --abbrev-ref HEAD") == "main")
        #expect(try folder.sh("git -C new fsck --strict") == "")
        #expect(try folder.sh("grep -r secret new/.git || true") == "")
        #expect(try folder.sh("ls new/.git/hooks 2>/dev/null || true") == "")
        #expect(try folder.sh("readlink new/link; test -x new/d/run && cat new/a") == "a\none")
    }

    @Test("one commit takes its own history along and no other branch")
    func oneCommit() throws {
        let folder = try Self.repository()
        let git = try #require(try GitRepository(at: folder.path + "/source"))
        let commit = try git.resolve("main")
        try CleanClone.make(from: git.folder, refs: [:], head: .commit(commit), at: folder.path + "/new", checkOut: false)
        #expect(try folder.sh("git -C new rev-parse HEAD") == commit)
        #expect(try folder.sh("git -C new log --all --format=%s") == "one")
        #expect(try folder.sh("ls new") == "")
    }

    @Test("a shallow source gives a shallow clone, an empty one an empty one")
    func shallowAndEmpty() throws {
        let folder = try Self.repository()
        try folder.sh("git clone -q --depth 1 file://$PWD/source -b side thin; git init -q -b main void")
        let thin = try #require(try GitRepository(at: folder.path + "/thin"))
        let shallow = try folder.read("thin/.git/shallow").split(separator: "\n").map(String.init)
        let refs = try thin.refs().filter { !$0.key.hasPrefix("refs/remotes/") }
        try CleanClone.make(from: thin.folder, refs: refs, head: .branch("refs/heads/side"), shallow: shallow, at: folder.path + "/new", checkOut: true)
        #expect(try folder.sh("git -C new log --format=%s; git -C new status --porcelain") == "two")

        let void = try #require(try GitRepository(at: folder.path + "/void"))
        try CleanClone.make(from: void.folder, refs: [:], head: .branch("refs/heads/main"), at: folder.path + "/nothing", checkOut: true)
        #expect(try folder.sh("git -C nothing status --porcelain") == "")
    }

    @Test("a commit of a server arrives by its ref")
    func fetch() throws {
        let folder = try Self.repository()
        let commit = try folder.sh("git -C source rev-parse side")
        try CleanClone.fetch("file://\(folder.path)/source", ref: "side", commit: commit, to: folder.path + "/bare")
        #expect(try folder.sh("git --git-dir=bare log --format=%s \(commit)") == "two\none")
    }
}
