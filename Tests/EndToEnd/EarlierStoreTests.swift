import Foundation
import Linux
import Testing

/// A home that an earlier program wrote: two images, and a machine that hibernates after a checkpoint and a later write.
///
/// It was made on 2026-11-24, before images had maps of two levels and packs were repacked. Its disk has one program, `keep FILE TEXT`, which writes a file
/// and syncs it; what a machine leaves beside its disk (logs, this host's settings) was taken out.
@Suite("A store of an earlier program", .enabled(if: MachineNeeds.met)) struct EarlierStoreTests {
    private static let archive = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/store-of-2026-11-24.tar.zst").path

    @Test("opens, verifies, and goes on: its machine resumes, and is packed on top of its images")
    func isUsedFurther() throws {
        try Home.with { home in
            let unpacked = try Command("tar", ["--zstd", "-xSf", Self.archive, "-C", home.path]).capture()
            try #require(unpacked.status == .exited(0), "\(unpacked.errors)")
            #expect(try home.terrine("images", expect: 0).output.contains("old:2"))
            #expect(try home.terrine("verify", expect: 0).output.contains("all well"))

            try home.terrine("resume", "kept", expect: 0)
            try home.expectFile("/root/first", of: "kept", "written before a checkpoint")
            try home.expectFile("/root/second", of: "kept", "written after it")
            try home.terrine("exec", "kept", "--", "/bin/keep", "/root/third", "written today", expect: 0)
            try home.terrine("checkpoint", "kept", "-t", "old:3", expect: 0)
            try home.terrine("rm", "kept", expect: 0)

            try home.terrine("gc", "--repack", expect: 0)
            try home.terrine("verify", "--rebuild-index", expect: 0)
            try home.terrine("start", "old:3", "--name", "next", "--network", "none", expect: 0)
            try home.expectFile("/root/second", of: "next", "written after it")
            try home.expectFile("/root/third", of: "next", "written today")
            try home.terrine("rm", "next", expect: 0)
        }
    }
}

extension Home {
    fileprivate func expectFile(_ path: String, of machine: String, _ content: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try terrine("cp", "\(machine):\(path)", self.path + "/copied", expect: 0, sourceLocation: sourceLocation)
        #expect(try String(contentsOfFile: self.path + "/copied", encoding: .utf8) == content, sourceLocation: sourceLocation)
    }
}
