import Foundation
import Testing

@testable import Recipes

@Suite struct WorkspaceTests {
    private func git(_ arguments: String..., at folder: String) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com"] + arguments
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    @Test("ignore rules choose the files that git itself would")
    func againstGit() throws {
        let files = [
            ".gitignore":
                "*.o\n!keep.o\n/build\nlogs/\n**/cache/**\ndoc/*.txt\n!doc/read.txt\n\\#odd\na[0-9].x\n?.tmp\nfoo/**/bar\n# no\ntrail \n*.d/\n",
            "a.o": "", "keep.o": "", "src/b.o": "", "src/keep.o": "", "build/x": "", "src/build/x": "", "logs/x": "",
            "src/logs/x": "", "x/cache/y/z": "", "cachet": "", "doc/a.txt": "", "doc/read.txt": "", "doc/in/a.txt": "",
            "#odd": "", "a1.x": "", "ab.x": "", "q.tmp": "", "qq.tmp": "", "foo/bar": "", "foo/1/2/bar": "",
            "trail": "",
            "y.d/f": "", "src/y.d": "", "sub/.gitignore": "*\n!.gitignore\n!only\n/deep/*\n", "sub/only": "",
            "sub/other": "", "sub/deep/only": "", "src/.gitignore": "!b.o\n/top\n", "src/top": "", "src/in/top": "",
            "names with space/f": "", "é/ü": "",
        ]
        try withFolder(files) { folder in
            _ = try git("init", "-q", at: folder)
            let expected = try git(
                "-c", "core.quotePath=false", "ls-files", "-co", "--exclude-standard", "-z", at: folder
            )
            .split(separator: "\0").map(String.init).sorted()
            let found = try Workspace(root: folder).files().map(\.path).sorted()
            #expect(found == expected)
            // A folder inside the repository is under the rules above it too.
            let inner = try Workspace(root: folder + "/src").files().map(\.path).sorted()
            #expect(inner == expected.filter { $0.hasPrefix("src/") }.map { String($0.dropFirst(4)) })
        }
    }

    @Test(".terrineignore goes before .gitignore, both ways")
    func terrineIgnore() throws {
        try withFolder([
            ".gitignore": "*.log\n", ".terrineignore": "!a.log\nsecret\n", "a.log": "", "b.log": "", "secret": "",
        ]) {
            let names = try Workspace(root: $0).files().map(\.path)
            #expect(names == [".gitignore", ".terrineignore", "a.log"])
        }
    }

    @Test("links stay links, execute bits count, sockets and .git do not")
    func kinds() throws {
        try withFolder([
            "x": "#!/bin/sh", "y": "y", ".git/HEAD": "ref: refs/heads/main", "s/.git": "gitdir: x", "d/f": "",
        ]) {
            folder in
            chmod(folder + "/x", 0o750)
            try FileManager.default.createSymbolicLink(atPath: folder + "/l", withDestinationPath: "/etc/passwd")
            try FileManager.default.createSymbolicLink(atPath: folder + "/dl", withDestinationPath: "d")
            mkfifo(folder + "/pipe", 0o600)
            let files = try Workspace(root: folder).files()
            #expect(files.map(\.path) == ["d/f", "dl", "l", "x", "y"])
            #expect(files.map(\.kind) == [.file, .link, .link, .file, .file])
            #expect(files.map(\.mode) == [0o644, 0o777, 0o777, 0o755, 0o644])
        }
    }

    @Test(
        "globs select from the workspace's root",
        arguments: [
            (["src"], ["src/a.c", "src/gen/b.c"]), (["src/**"], ["src/a.c", "src/gen/b.c"]), (["*.c"], ["top.c"]),
            (["**/*.c"], ["src/a.c", "src/gen/b.c", "top.c"]), (["src/", "!src/gen/**"], ["src/a.c"]),
            (["./Makefile"], ["Makefile"]), (["src/*"], ["src/a.c", "src/gen/b.c"]), (["[A-M]*"], ["Makefile"]),
            (["t?p.c"], ["top.c"]), (["."], ["Makefile", "src/a.c", "src/gen/b.c", "top.c"]), ([], []),
        ])
    func globs(_ globs: [String], _ expected: [String]) throws {
        try withFolder(["src/a.c": "", "src/gen/b.c": "", "top.c": "", "Makefile": ""]) {
            let (files, unmatched) = try Workspace(root: $0).select(globs)
            #expect(files.map(\.path) == expected)
            #expect(unmatched.isEmpty)
        }
    }

    @Test("a git repository is read without git: branches, packed refs, tags, work trees")
    func repository() throws {
        try withFolder(["f": "x"]) { folder in
            let main = folder + "/main"
            try FileManager.default.createDirectory(atPath: main, withIntermediateDirectories: true)
            _ = try git("init", "-q", "-b", "trunk", at: main)
            #expect(try GitRepository(at: main)?.head() == nil)
            _ = try git("commit", "-q", "--allow-empty", "-m", "one", at: main)
            let commit = try git("rev-parse", "HEAD", at: main).trimmed
            _ = try git("tag", "v1", at: main)
            for round in 0..<2 {
                let found = try #require(try GitRepository(at: main))
                #expect(try found.head() == commit && found.headRef() == "refs/heads/trunk", "round \(round)")
                #expect(try found.resolve("v1") == commit && found.resolve("trunk") == commit)
                _ = try git("pack-refs", "--all", at: main)
            }
            _ = try git("worktree", "add", "-q", "-b", "side", folder + "/side", at: main)
            let side = try #require(try GitRepository(at: folder + "/side"))
            #expect(try side.head() == commit && side.headRef() == "refs/heads/side")
            let error = #expect(throws: RecipeError.self) { try side.resolve("trnk") }
            #expect(error?.fix == "did you mean `trunk`?")
            #expect(try GitRepository(at: folder) == nil)
        }
    }
}
