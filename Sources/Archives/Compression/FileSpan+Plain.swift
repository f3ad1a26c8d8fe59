import ChunkStore
import Glibc
import Linux

import struct Crypto.SHA256

extension FileSpan {
    /// The plain bytes of a stream, and their digest. Those of one that is not compressed stay where they are.
    ///
    /// - Throws: ``ArchiveError`` `damaged`, or `tooLarge` for a bomb.
    func plain(archive: String, allowance: ArchiveAllowance, files: UnnamedFiles) throws -> (span: FileSpan, digest: Digest) {
        do {
            guard let decoder = try Compression.of(self, archive: archive).decoder() else { return (self, try digest()) }
            return try decompressed(decoder, archive, allowance, files)
        } catch let fault as StreamFault {
            throw ArchiveError("damaged", "\(archive) cannot be decompressed", cause: fault.text, fix: "fetch or make it again")
        }
    }

    private func decompressed(
        _ decoder: any StreamDecoder, _ archive: String, _ allowance: ArchiveAllowance, _ files: UnnamedFiles
    ) throws -> (span: FileSpan, digest: Digest) {
        let (file, limits) = (try files.make(), allowance.limits)
        var hasher = SHA256()
        var (written, taken, looked, full): (Int64, Int64, Int64, Int64) = (0, 0, 0, 0)
        // Of a disk, zeroes stay holes and are not counted: most of an honest one is nothing. Known when its beginning is there.
        var isDisk: Bool?
        func emit(_ bytes: UnsafeRawBufferPointer) throws {
            try allowance.spend(bytes: Int64(bytes.count), of: archive)
            let offset = written
            written += Int64(bytes.count)
            if isDisk == true {
                full += try file.writeWithHoles(bytes, at: offset)
            } else {
                full += Int64(bytes.count)
                try file.write(bytes, at: offset)
            }
            if isDisk == nil, written >= 2048 { isDisk = try ArchiveReader.format(of: FileSpan(file)) == .raw }
            if full > limits.freeBytes, full / limits.ratio > taken {
                throw ArchiveError(
                    "tooLarge", "\(archive) is more than \(limits.ratio) times as large when it is decompressed: that is how a bomb is made",
                    fix: "if you trust where it comes from, decompress it yourself and give the result")
            }
            if written - looked > 64 << 20 {
                try files.checkRoom(for: archive)
                looked = written
            }
            hasher.update(bufferPointer: bytes)
        }
        try forEachPiece { piece in
            taken += Int64(piece.count)
            try decoder.feed(piece, emit)
        }
        try decoder.finish(emit)
        try check("set the size of", "a scratch file") { ftruncate(file.raw, Int(written)) }
        return (try FileSpan(file), Digest.of(hasher))
    }

    /// SHA-256 of all of it.
    func digest() throws -> Digest {
        var hasher = SHA256()
        try forEachPiece { hasher.update(bufferPointer: $0) }
        return Digest.of(hasher)
    }
}

extension Digest {
    /// Of everything that `hasher` has seen.
    static func of(_ hasher: SHA256) -> Digest {
        guard let digest = Digest(bytes: hasher.finalize()) else { preconditionFailure("SHA-256 has 32 bytes") }
        return digest
    }
}

extension Descriptor {
    /// Writes what is not zero, in spans of up to 64 KiB, into a file that has nothing there.
    ///
    /// - Returns: bytes that were written.
    fileprivate func writeWithHoles(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws -> Int64 {
        var count: Int64 = 0
        for start in stride(from: 0, to: bytes.count, by: 65536) {
            let part = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 65536, bytes.count)])
            guard let base = part.baseAddress, part[0] != 0 || memcmp(base, base + 1, part.count - 1) != 0 else { continue }
            try write(part, at: offset + Int64(start))
            count += Int64(part.count)
        }
        return count
    }
}
