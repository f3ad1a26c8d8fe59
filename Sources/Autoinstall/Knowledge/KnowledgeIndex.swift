import Disks
import Glibc
import Images
import Linux

/// Which Debian package has what, mapped from a file: opened in microseconds, searched by halves.
///
/// Whatever its bytes are it answers or throws; a sum stands for each part, so that damage is told and never an answer.
public final class KnowledgeIndex: Sendable {
    /// The index cannot be used: it is to be made again.
    public struct Damage: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    private enum Storage: Sendable {
        case mapped(MappedFile)
        case copied([UInt8])
    }

    private let storage: Storage
    private let blockCount: Int
    private let packageCount: Int
    private let packageStart: Int
    /// When it was made, in seconds since 1970.
    public let made: UInt64

    /// - Throws: ``Damage``, and `LinuxError` when the file cannot be opened.
    public convenience init(path: String) throws {
        guard let file = try MappedFile(Descriptor(path, O_RDONLY), path) else { throw Damage(description: "\(path) is empty") }
        try self.init(.mapped(file))
    }

    convenience init(bytes: [UInt8]) throws { try self.init(.copied(bytes)) }

    private init(_ storage: Storage) throws {
        self.storage = storage
        (blockCount, packageCount, packageStart, made) = try Self.withBytes(storage) { bytes in
            let header = IndexBytes(bytes)
            guard try header.slice(0, 8).elementsEqual(KnowledgeLayout.magic) else { throw Damage(description: "this is no index of packages") }
            guard XXHash64.hash(try header.slice(0, 56)) == (try header.number(56, UInt64.self)) else {
                throw Damage(description: "the index's header is damaged")
            }
            guard try header.number(8, UInt32.self) == KnowledgeLayout.version else { throw Damage(description: "the index has another version") }
            guard try header.number(40, UInt64.self) == UInt64(bytes.count) else { throw Damage(description: "the index is not whole") }
            let (blocks, packages) = (Int(try header.number(12, UInt32.self)), Int(try header.number(16, UInt32.self)))
            let start = Int(truncatingIfNeeded: try header.number(32, UInt64.self))
            let table = try header.slice(KnowledgeLayout.headerSize, blocks * KnowledgeLayout.blockEntrySize)
            guard XXHash64.hash(table) == (try header.number(48, UInt64.self)) else { throw Damage(description: "the index's table is damaged") }
            _ = try header.slice(start, packages * 4)
            return (blocks, packages, start, try header.number(24, UInt64.self))
        }
    }

    private static func withBytes<T>(_ storage: Storage, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        switch storage {
        case .mapped(let file): try withExtendedLifetime(file) { try body(file.bytes) }
        case .copied(let bytes): try bytes.withUnsafeBytes(body)
        }
    }

    /// Packages that have exactly this, the best first.
    public func packages(_ key: KnowledgeKey) throws -> [String] {
        var owners: [UInt32] = []
        try scan(from: key.bytes) { found, numbers in
            if found == key.bytes { owners = numbers }
            return false
        }
        return try owners.map(name)
    }

    /// Keys that begin so, in their order, with their packages by rank and name.
    ///
    /// - Parameter limit: of keys.
    public func keys(beginningWith key: KnowledgeKey, limit: Int = 64) throws -> [(key: KnowledgeKey, packages: [(rank: UInt32, name: String)])] {
        let beginning = key.bytes
        var found: [(KnowledgeKey, [UInt32])] = []
        try scan(from: beginning) { bytes, owners in
            guard bytes.starts(with: beginning), found.count < limit else { return false }
            found.append((KnowledgeKey(key.kind, String(decoding: bytes.dropFirst(), as: UTF8.self)), owners))
            return true
        }
        return try found.map { ($0, try $1.map { ($0, try name($0)) }) }
    }

    /// Calls `body` with the first key that is not below `key`, and with those after it while it returns true.
    private func scan(from key: [UInt8], _ body: ([UInt8], [UInt32]) throws -> Bool) throws {
        try Self.withBytes(storage) { raw in
            let bytes = IndexBytes(raw)
            // The last block whose first key is not above.
            var (low, high) = (0, blockCount)
            while low < high {
                let middle = (low + high) / 2
                var cursor = try block(bytes, middle)
                guard let first = try cursor.next() else { throw Damage(description: "a block of the index is empty") }
                if first.key.lexicographicallyPrecedes(key) || first.key == key { low = middle + 1 } else { high = middle }
            }
            for number in max(0, low - 1)..<max(blockCount, max(0, low - 1)) {
                var cursor = try block(bytes, number)
                while let entry = try cursor.next() {
                    if !entry.key.lexicographicallyPrecedes(key), try !body(entry.key, entry.owners) { return }
                }
            }
        }
    }

    private func block(_ bytes: IndexBytes, _ number: Int) throws -> BlockCursor {
        let entry = KnowledgeLayout.headerSize + number * KnowledgeLayout.blockEntrySize
        let part = try bytes.slice(Int(try bytes.number(entry, UInt32.self)), Int(try bytes.number(entry + 4, UInt32.self)))
        guard XXHash64.hash(part) == (try bytes.number(entry + 8, UInt64.self)) else { throw Damage(description: "block \(number) of the index is damaged") }
        return BlockCursor(IndexBytes(part))
    }

    private func name(_ number: UInt32) throws -> String {
        guard number < packageCount else { throw Damage(description: "the index names a package that it does not have") }
        return try Self.withBytes(storage) { raw in
            let bytes = IndexBytes(raw)
            let at = Int(try bytes.number(packageStart + Int(number) * 4, UInt32.self))
            let text = try bytes.slice(at + 3, Int(try bytes.number(at + 2, UInt8.self)))
            guard UInt16(truncatingIfNeeded: XXHash64.hash(text)) == (try bytes.number(at, UInt16.self)) else {
                throw Damage(description: "the name of package \(number) in the index is damaged")
            }
            return String(decoding: text, as: UTF8.self)
        }
    }
}

/// Bytes that are looked at within their bounds only.
private struct IndexBytes {
    let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func slice(_ at: Int, _ count: Int) throws -> UnsafeRawBufferPointer {
        guard at >= 0, count >= 0, at <= bytes.count, count <= bytes.count - at else { throw KnowledgeIndex.Damage(description: "the index is cut short") }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
    }

    func number<T: FixedWidthInteger>(_ at: Int, _ type: T.Type) throws -> T {
        T(littleEndian: try slice(at, MemoryLayout<T>.size).loadUnaligned(as: T.self))
    }
}

/// Goes through a block's keys.
private struct BlockCursor {
    private let bytes: IndexBytes
    private var at = 0
    private var key: [UInt8] = []

    init(_ bytes: IndexBytes) { self.bytes = bytes }

    mutating func next() throws -> (key: [UInt8], owners: [UInt32])? {
        guard at < bytes.bytes.count else { return nil }
        let shared = try number()
        let length = try number()
        guard shared <= key.count else { throw KnowledgeIndex.Damage(description: "a key of the index has no beginning") }
        let rest = try bytes.slice(at, length)
        at += length
        key = Array(key.prefix(shared)) + rest
        var owners: [UInt32] = []
        for _ in 0..<(try number()) { owners.append(UInt32(truncatingIfNeeded: try number())) }
        return (key, owners)
    }

    private mutating func number() throws -> Int {
        var value = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            let byte = try bytes.number(at, UInt8.self)
            at += 1
            value |= Int(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw KnowledgeIndex.Damage(description: "a number of the index has no end")
    }
}
