import ChunkStore
import Linux

/// Writes a tree as an ext4 file system, byte for byte the same on any host: a pure function of the tree with its times, the disk's size and the journal's.
///
/// What it makes is what `mke2fs` makes by default with blocks of 4 KiB, but for one thing: files lie one after the other in path order, each in one piece
/// where the file system's own blocks leave room, and 64 KiB of a file that are zeroes are a hole, whatever the source has there. It has checksums, a
/// journal, and room to grow a thousandfold. Each name, owner, attribute and time of the tree is kept; other times are ``epoch``.
public struct Ext4Formatter {
    /// 2023-11-14: a constant, so that nothing depends on the day it is written.
    public static let epoch: Int64 = 1_700_000_000

    private let plan: Ext4Plan

    /// Lays out the file system; no content is read.
    ///
    /// - Parameters:
    ///   - contents: what ``FileTree/scan()`` told of this very tree.
    ///   - size: bytes of the disk; what is left over after the last 4 KiB is not used.
    ///   - journal: bytes, at least 4 MiB.
    /// - Throws: ``TreeError`` `noSpace`, `unsupported` for what ext4 cannot hold, `invalid` for a journal that is too small.
    public init(_ tree: FileTree, _ contents: [ObjectIdentifier: ContentScan], size: Int64, journal: Int64) throws {
        guard journal >= 4 << 20, journal % Int64(Ext4Geometry.blockBytes) == 0 else {
            throw TreeError("invalid", "a journal cannot have \(journal) bytes", fix: "give it whole blocks of 4 KiB, at least 4 MiB in all")
        }
        plan = try Ext4Plan(tree, contents, size: size, journalBlocks: Int(journal) / Ext4Geometry.blockBytes)
    }

    /// Writes it to an empty file, whose holes stay holes where the disk is zero.
    ///
    /// - Throws: what reading contents and writing throw.
    public func write(to file: Descriptor) throws {
        for (block, bytes) in plan.metadata() { try bytes.withUnsafeBytes { try file.write($0, at: Int64(block) * Int64(Ext4Geometry.blockBytes)) } }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        let block = Int64(Ext4Geometry.blockBytes)
        for part in plan.parts {
            var done: Int64 = 0
            while done < part.blocks * block {
                let count = min(Int64(buffer.count), part.blocks * block - done)
                let offset = part.offset + done
                let stored = min(count, part.content.size - offset)
                try part.content.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(stored)]), at: offset)
                // Past the file's end a block is zero.
                UnsafeMutableRawBufferPointer(rebasing: buffer[Int(stored)..<Int(count)]).initializeMemory(as: UInt8.self, repeating: 0)
                try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]), at: Int64(part.disk) * block + done)
                done += count
            }
        }
    }
}
