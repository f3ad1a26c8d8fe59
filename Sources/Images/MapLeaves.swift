import ChunkStore
import Glibc
import Linux

/// The leaves of all images' maps, in one file that only grows: a leaf has the numbers of 1,024 chunks that lie side by side.
///
/// A leaf is never changed, so that images share it and readers need no lock. What no image uses any more is given back as a hole: it reads as
/// number 0, which no leaf has (a place of zeroes is `zeroes`), so a reader who is wronged finds an error and never another's bytes.
///
/// Little-endian: `TRRNLEAF`, the index's identity (u64), the file's own id (u64), the id of the boot (36 letters), zeroes to byte 4096; then leaf 1,
/// leaf 2, …, of 1,024 u32 each. It is not synced, and belongs to one boot and one index.
struct MapLeaves: Sendable {
    static let places = 1024
    static let bytes = places * 4
    static let zeroes = UInt32.max
    private static let magic: UInt64 = 0x4641_454C_4E52_5254
    private static let boot = Array(ProcessIdentity.current.bootID.utf8.prefix(64))

    let id: UInt64
    private let mapped: MappedFile
    private let path: String

    /// Nil when there is no such file, or none that can be used.
    init?(_ path: String, identity: Int64) throws {
        let file: Descriptor
        do { file = try Descriptor(path, O_RDWR) } catch let error as LinuxError where error.code == ENOENT { return nil }
        guard let mapped = try MappedFile(file, path), mapped.bytes.count >= Self.bytes, mapped.long(0) == Self.magic,
            mapped.long(8) == UInt64(bitPattern: identity), mapped.bytes[24..<24 + Self.boot.count].elementsEqual(Self.boot)
        else { return nil }
        (self.mapped, self.path, id) = (mapped, path, mapped.long(16))
    }

    /// Puts an empty file in the place of the one at `path`, if there is one. Who has that open keeps it.
    static func create(_ path: String, identity: Int64) throws {
        var header = [UInt8](repeating: 0, count: bytes)
        header.withUnsafeMutableBytes {
            $0.storeBytes(of: magic.littleEndian, as: UInt64.self)
            $0.storeBytes(of: UInt64(bitPattern: identity).littleEndian, toByteOffset: 8, as: UInt64.self)
            $0.storeBytes(of: UInt64.random(in: 1 ... .max).littleEndian, toByteOffset: 16, as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: $0[24...]).copyBytes(from: boot)
        }
        try replaceFile(path, with: header, durable: false)
    }

    /// How many there were when the file was opened, and one more: they count from 1.
    var end: Int { mapped.bytes.count / Self.bytes }

    /// The numbers in a leaf; nil when it is not there any more.
    func leaf(_ number: UInt32) -> UnsafeBufferPointer<UInt32>? {
        guard number > 0, number < end else { return nil }
        let start = Int(number) * Self.bytes
        return UnsafeRawBufferPointer(rebasing: mapped.bytes[start..<start + Self.bytes]).assumingMemoryBound(to: UInt32.self)
    }

    /// Adds a leaf. One process at a time does it.
    func append(_ numbers: [UInt32]) throws -> UInt32 {
        var status = stat()
        try check("look at", path) { fstat(mapped.file.raw, &status) }
        // What a dead process began to write is passed over.
        let next = (Int(status.st_size) + Self.bytes - 1) / Self.bytes
        guard let number = UInt32(exactly: next) else {
            throw ImageError("unsupported", "\(path) is full", fix: "remove it when no machine runs; it is made again")
        }
        try numbers.withUnsafeBytes { try mapped.file.write($0, at: Int64(next * Self.bytes)) }
        return number
    }

    /// Gives back the room of all leaves that are not in `used`. Nobody adds any meanwhile.
    func keepOnly(_ used: NumberSet) throws {
        var first = 1
        while first < end {
            var last = first
            while last < end, !used.contains(last) { last += 1 }
            do { if last > first { try mapped.file.punchHole(first * Self.bytes..<last * Self.bytes) } } catch let error as LinuxError
                where error.code == EOPNOTSUPP
            {
                // A file system without holes keeps the room until the host starts again.
                return
            }
            first = last + 1
        }
    }
}
