import Foundation
import Glibc
import Testing

@testable import Linux

@Suite struct RootedFolderTests {
    private func withFolder(_ body: (RootedFolder, String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "terrine-rooted-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path + "/root", withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: path) } }
        try body(try RootedFolder(path + "/root"), path)
    }

    @Test("no link leads out of the folder")
    func staysInside() throws {
        try withFolder { root, path in
            try "secret".write(toFile: path + "/outside", atomically: false, encoding: .utf8)
            try root.symlink("../outside", at: "up")
            try root.symlink(path, at: "absolute")
            try root.symlink("/etc", at: "etc-link")
            #expect(throws: LinuxError.self) { try root.open("up", O_RDONLY) }
            #expect(throws: LinuxError.self) { try root.open("absolute/outside", O_RDONLY) }
            #expect(throws: LinuxError.self) { try root.open("../../outside", O_RDONLY) }
            try root.makeFolders("/etc")
            try root.write("etc-link/passwd", Array("root:x:0:0::/root:/bin/sh\n".utf8))
            #expect(try root.read("/etc/passwd").count == 26)
        }
    }

    @Test("files, folders, links, times and removal")
    func operations() throws {
        try withFolder { root, path in
            try root.makeFolders("a/b/c", mode: 0o750)
            try root.write("a/b/c/file", Array("one".utf8), mode: 0o600)
            try root.write("a/b/c/file", Array("two".utf8), mode: 0o755)
            #expect(String(decoding: try root.read("a/b/c/file"), as: UTF8.self) == "two")
            try root.symlink("file", at: "a/b/c/link")
            #expect(try root.readLink("a/b/c/link") == "file")
            #expect(try root.list("a/b/c") == ["file", "link"])
            try root.setModificationTime("a/b/c/file", timespec(tv_sec: 1_000_000, tv_nsec: 5))
            let status = try #require(try root.attributes("a/b/c/file"))
            #expect(status.st_mode & 0o777 == 0o755 && status.st_mtim.tv_sec == 1_000_000)
            #expect(try root.attributes("a/none") == nil && root.attributes("none/none") == nil)
            try root.symlink("../../outside", at: "a/b/out")
            try FileManager.default.createDirectory(atPath: path + "/outside", withIntermediateDirectories: true)
            try root.remove("a")
            #expect(try root.list("/") == [])
            #expect(FileManager.default.fileExists(atPath: path + "/outside"))
        }
    }
}
