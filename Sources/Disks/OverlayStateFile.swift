import CLinux
import Glibc
import Linux
import Synchronization

/// Who an overlay is: drawn when it is made, so that its live and its durable state can never be mixed up with another's.
struct OverlayIdentity: Equatable {
    let high: UInt64
    let low: UInt64
    static func draw() -> OverlayIdentity { OverlayIdentity(high: .random(in: 1...UInt64.max), low: .random(in: 1...UInt64.max)) }
}

/// The durable state of an overlay's blocks, the file `state`; byte by byte in `Docs/formats/overlay.md`.
///
/// Each page of state has two slots of 4 KiB. A commit writes the one that does not count, with a higher generation and a checksum, so that a
/// page that was torn when the host died leaves the other. Each page stands for itself: all that a commit makes durable was written, and
/// synced, before.
final class OverlayStateFile: Sendable {
    static let magic = Array("TRNSTAT1".utf8)
    static let sealMagic = Array("TRNSEAL1".utf8)
    static let version: UInt32 = 1
    static let pageSize = 4096
    static let firstSlot: Int64 = 8192
    private static let batch = 64

    /// Slots of one page that was ever written; `generation` 0 = none.
    private struct Page {
        var generation: UInt64 = 0
        var checksum: UInt64 = 0
        var second = false
    }

    let diskSize: Int64
    let identity: OverlayIdentity
    let path: String
    private let file: Descriptor
    private let pageCount: Int
    // Only `load` and, one at a time, `commit` and `writeSeal` touch these; the lock is for the compiler.
    private let table: Mutex<(pages: [Page], generation: UInt64)>

    /// Makes the file at `path`, which must not be there. It gets its name when it is whole: a process that dies meanwhile leaves nothing to open.
    init(creating path: String, diskSize: Int64) throws {
        let identity = OverlayIdentity.draw()
        (self.path, self.diskSize, self.identity) = (path, diskSize, identity)
        let pageCount = Self.pages(diskSize)
        self.pageCount = pageCount
        table = Mutex(([Page](repeating: Page(), count: pageCount), 0))
        let file = try Descriptor(path + ".new", O_RDWR | O_CREAT | O_TRUNC)
        self.file = file
        var header = [UInt8](repeating: 0, count: Self.pageSize)
        header.withUnsafeMutableBytes { header in
            header.copyBytes(from: Self.magic)
            header.storeBytes(of: Self.version.littleEndian, toByteOffset: 8, as: UInt32.self)
            header.storeBytes(of: UInt32(DiskUnit.block).littleEndian, toByteOffset: 12, as: UInt32.self)
            header.storeBytes(of: UInt64(diskSize).littleEndian, toByteOffset: 16, as: UInt64.self)
            header.storeBytes(of: identity.high.littleEndian, toByteOffset: 24, as: UInt64.self)
            header.storeBytes(of: identity.low.littleEndian, toByteOffset: 32, as: UInt64.self)
            header.storeBytes(of: UInt32(OverlayStates.pageBytes).littleEndian, toByteOffset: 40, as: UInt32.self)
            Self.close(header)
        }
        try header.withUnsafeBytes { try file.write($0, at: 0) }
        try check("grow", path) { ftruncate(file.raw, off_t(Self.firstSlot) + pageCount * 2 * Self.pageSize) }
        try renameFile(path + ".new", to: path)
    }

    /// Whether there is a file at `path` that was ever flushed, or that a living process made: a host that died may leave a name for zeroes.
    static func isThere(_ path: String) throws -> Bool {
        guard access(path, F_OK) == 0 else { return false }
        var header = [UInt8](repeating: 0, count: pageSize)
        _ = try header.withUnsafeMutableBytes { try Descriptor(path, O_RDONLY).read(into: $0, at: 0) }
        return header.contains { $0 != 0 }
    }

    /// Opens the file at `path`; ``load(_:)`` comes next.
    init(opening path: String) throws {
        self.path = path
        let file = try Descriptor(path, writableUnlessReadOnly: true)
        self.file = file
        var header = [UInt8](repeating: 0, count: Self.pageSize)
        let count = try header.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        let fields: (version: UInt32, block: UInt32, size: Int64, high: UInt64, low: UInt64)? = header.withUnsafeBytes { header in
            guard count == Self.pageSize, header.starts(with: Self.magic), Self.isClosed(header) else { return nil }
            return (
                UInt32(littleEndian: header.load(fromByteOffset: 8, as: UInt32.self)),
                UInt32(littleEndian: header.load(fromByteOffset: 12, as: UInt32.self)),
                Int64(littleEndian: header.load(fromByteOffset: 16, as: Int64.self)),
                UInt64(littleEndian: header.load(fromByteOffset: 24, as: UInt64.self)),
                UInt64(littleEndian: header.load(fromByteOffset: 32, as: UInt64.self))
            )
        }
        guard let fields, fields.size > 0 else {
            throw DiskError(
                "corrupt", "\(path) is not the state of an overlay", cause: "its first page has no valid header",
                fix: "if the machine was only being made when the host died, remove it and make it again")
        }
        guard fields.version == Self.version, fields.block == DiskUnit.block else {
            throw DiskError("unsupported", "\(path) has version \(fields.version) with blocks of \(fields.block) bytes", fix: "use the terrine that wrote it")
        }
        // Before any memory is taken for so many pages.
        let length = try check("seek", path) { lseek(file.raw, 0, SEEK_END) }
        guard fields.size <= 1 << 50, length == Int(Self.firstSlot) + Self.pages(fields.size) * 2 * Self.pageSize else {
            throw DiskError(
                "corrupt", "\(path) has another size than its header says", cause: "a disk of \(fields.size) bytes does not go with \(length) bytes of state",
                fix: "go back to the last checkpoint")
        }
        diskSize = fields.size
        identity = OverlayIdentity(high: fields.high, low: fields.low)
        pageCount = Self.pages(diskSize)
        table = Mutex(([Page](repeating: Page(), count: pageCount), 0))
    }

    private static func pages(_ diskSize: Int64) -> Int {
        (DiskUnit.blocks(diskSize) + OverlayStates.blocksPerPage - 1) / OverlayStates.blocksPerPage
    }

    /// Calls `body` with each page that was ever committed, and its words in durable form.
    func load(_ body: (Int, UnsafeRawPointer) throws -> Void) throws {
        // What another process wrote and did not sync must not be the only good slot when the other one is next written.
        CrashPoint.pass()
        try check("sync", path) { fdatasync(file.raw) }
        var both = [UInt8](repeating: 0, count: 2 * Self.pageSize)
        try table.withLock { table in
            try forEachDataRange(of: file, subject: path) { range in
                guard range.upperBound > Self.firstSlot else { return }
                let first = Int(max(0, range.lowerBound - Self.firstSlot)) / both.count
                let last = (Int(range.upperBound - Self.firstSlot) - 1) / both.count
                for page in first...last where page < pageCount && table.pages[page].generation == 0 {
                    try both.withUnsafeMutableBytes { both in
                        both.clear()
                        _ = try file.read(into: both, at: Self.offset(page, second: false))
                        guard let (found, words) = try choose(page, UnsafeRawBufferPointer(both)) else { return }
                        table.pages[page] = found
                        table.generation = max(table.generation, found.generation)
                        try body(page, words)
                    }
                }
            }
        }
    }

    private func choose(_ page: Int, _ both: UnsafeRawBufferPointer) throws -> (Page, UnsafeRawPointer)? {
        var best: (Page, UnsafeRawPointer)?
        var broken = 0
        for slot in 0..<2 {
            let bytes = UnsafeRawBufferPointer(rebasing: both[slot * Self.pageSize..<(slot + 1) * Self.pageSize])
            guard let start = bytes.baseAddress else { continue }
            let stored = UInt64(littleEndian: bytes.load(as: UInt64.self))
            let generation = UInt64(littleEndian: bytes.load(fromByteOffset: 8, as: UInt64.self))
            if generation > 0, stored == Self.checksum(bytes, page, second: slot == 1) {
                if generation > best?.0.generation ?? 0 {
                    best = (Page(generation: generation, checksum: stored, second: slot == 1), start + 16)
                }
            } else if !bytes.isAllZero {
                broken += 1
            }
        }
        // One broken slot is a commit that the host's death cut short; two cannot come from that.
        if best == nil, broken == 2 {
            throw DiskError(
                "corrupt", "page \(page) of \(path) is damaged", cause: "neither of its two slots has its checksum",
                fix: "the disk beneath is failing, or something else wrote this file: go back to the last checkpoint")
        }
        return best
    }

    /// Makes every changed page durable.
    ///
    /// - Parameter syncData: makes all data durable that was written before it is called. Pages are copied before, and written after it.
    func commit(_ states: OverlayStates, syncData: () throws -> Void) throws {
        try table.withLock { table in
            var slots: [UInt8] = []
            var page = 0
            repeat {
                var pages: [Int] = []
                while page < pageCount, pages.count < Self.batch {
                    if states.takeDirty(page) { pages.append(page) }
                    page += 1
                }
                do {
                    if slots.count < pages.count * Self.pageSize { slots = [UInt8](repeating: 0, count: pages.count * Self.pageSize) }
                    try slots.withUnsafeMutableBytes { slots in
                        for (index, page) in pages.enumerated() {
                            if let base = slots.baseAddress { states.copyPage(page, to: base + index * Self.pageSize + 16) }
                        }
                        try syncData()
                        try write(pages, from: slots, &table)
                    }
                } catch {
                    for page in pages { states.markDirty(page) }
                    throw error
                }
            } while page < pageCount
        }
    }

    private func write(_ pages: [Int], from slots: UnsafeMutableRawBufferPointer, _ table: inout (pages: [Page], generation: UInt64)) throws {
        if pages.isEmpty { return }
        let generation = table.generation + 1
        var written: [Page] = []
        for (index, page) in pages.enumerated() {
            let slot = UnsafeMutableRawBufferPointer(rebasing: slots[index * Self.pageSize..<(index + 1) * Self.pageSize])
            let old = table.pages[page]
            let second = old.generation > 0 && !old.second
            slot.storeBytes(of: generation.littleEndian, toByteOffset: 8, as: UInt64.self)
            let checksum = Self.checksum(UnsafeRawBufferPointer(slot), page, second: second)
            slot.storeBytes(of: checksum.littleEndian, as: UInt64.self)
            try file.write(UnsafeRawBufferPointer(slot), at: Self.offset(page, second: second))
            written.append(Page(generation: generation, checksum: checksum, second: second))
        }
        CrashPoint.pass()
        try check("sync", path) { fdatasync(file.raw) }
        // Only now: until the new slots are durable the old ones must not be written to.
        for (page, new) in zip(pages, written) { table.pages[page] = new }
        table.generation = generation
    }

    /// Makes the file itself durable, as its maker has to once.
    func sync() throws { try file.sync() }

    /// Takes a lock on the overlay that ends with this object: alone for a writer, shared for readers.
    func claim(_ folder: String, shared: Bool) throws {
        do {
            try check("lock", folder) { flock(file.raw, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) }
        } catch {
            guard error.code == EWOULDBLOCK else { throw error }
            throw DiskError("busy", "the overlay \(folder) is in use by another process", fix: "stop the machine that runs on it")
        }
    }

    /// Records durably that nothing is written any more, with a checksum over all pages.
    func writeSeal() throws {
        let (generation, sum) = table.withLock { ($0.generation, Self.sum($0.pages)) }
        var record = [UInt8](repeating: 0, count: Self.pageSize)
        record.withUnsafeMutableBytes { record in
            record.copyBytes(from: Self.sealMagic)
            record.storeBytes(of: generation.littleEndian, toByteOffset: 8, as: UInt64.self)
            record.storeBytes(of: sum.littleEndian, toByteOffset: 16, as: UInt64.self)
            Self.close(record)
        }
        try record.withUnsafeBytes { try file.write($0, at: Int64(Self.pageSize)) }
        CrashPoint.pass()
        try check("sync", path) { fdatasync(file.raw) }
    }

    /// Whether the overlay was sealed; after ``load(_:)``, because the seal is checked against the pages.
    func isSealed() throws -> Bool {
        var record = [UInt8](repeating: 0, count: Self.pageSize)
        let count = try record.withUnsafeMutableBytes { try file.read(into: $0, at: Int64(Self.pageSize)) }
        return try record.withUnsafeBytes { record in
            // A torn record is none: the seal had not returned.
            guard count == Self.pageSize, record.starts(with: Self.sealMagic), Self.isClosed(record) else { return false }
            let sum = UInt64(littleEndian: record.load(fromByteOffset: 16, as: UInt64.self))
            guard sum == table.withLock({ Self.sum($0.pages) }) else {
                throw DiskError(
                    "corrupt", "\(path) is not what was sealed", cause: "its pages do not add up to the seal's checksum",
                    fix: "the disk beneath is failing, or something else wrote this file: go back to the last checkpoint")
            }
            return true
        }
    }

    /// XXH64 over the checksums of all written pages, each with its number before it.
    private static func sum(_ pages: [Page]) -> UInt64 {
        var list: [UInt64] = []
        for (page, entry) in pages.enumerated() where entry.generation > 0 {
            list.append(UInt64(page).littleEndian)
            list.append(entry.checksum.littleEndian)
        }
        return list.withUnsafeBytes { XXHash64.hash($0) }
    }

    private static func offset(_ page: Int, second: Bool) -> Int64 { firstSlot + Int64(page * 2 + (second ? 1 : 0)) * Int64(pageSize) }

    /// The seed is the slot's number, so that a slot in a wrong place is none.
    private static func checksum(_ slot: UnsafeRawBufferPointer, _ page: Int, second: Bool) -> UInt64 {
        XXHash64.hash(UnsafeRawBufferPointer(rebasing: slot[8...]), seed: UInt64(page * 2 + (second ? 1 : 0)))
    }

    private static func close(_ page: UnsafeMutableRawBufferPointer) {
        let sum = XXHash64.hash(UnsafeRawBufferPointer(rebasing: page[..<(pageSize - 8)]))
        page.storeBytes(of: sum.littleEndian, toByteOffset: pageSize - 8, as: UInt64.self)
    }

    private static func isClosed(_ page: UnsafeRawBufferPointer) -> Bool {
        UInt64(littleEndian: page.load(fromByteOffset: pageSize - 8, as: UInt64.self))
            == XXHash64.hash(UnsafeRawBufferPointer(rebasing: page[..<(pageSize - 8)]))
    }
}
