import CLinux
import Foundation
import Glibc
import Linux
import Synchronization

/// What was written to a disk, in 4 KiB blocks: a sparse file `data` and the state of each block.
///
/// - A write is in the data file **before** the block's state changes, so it may be repeated by the next process at any point.
/// - The *live* state is in shared memory that the caller may keep across the death of this process; a process that opens the overlay with
///   it goes on where the other stopped. The *durable* state is the file `state`, written at each flush after the data: when the host dies,
///   all that was flushed is there, and each other block is as it was before or after one of its writes.
///
/// One process has it open at a time, and a ``Disk`` is its only writer; a disk's range lock keeps two writers out of one block.
public final class Overlay: Sendable {
    public let folder: String
    /// The disk's size in bytes.
    public let size: Int64

    let states: OverlayStates
    let stateFile: OverlayStateFile
    private let data: OverlayData
    private let gate = FlushGate()
    private let hasUnsynced: Atomic<Bool>
    private let isNew: Atomic<Bool>
    /// A data sync that failed: the kernel has dropped what it could not write, so no later sync may claim success.
    private let lostWrite = Mutex<LinuxError?>(nil)
    let frozen = Atomic<Bool>(false)
    private let isVolatile: Bool

    /// The folder's name, which is the overlay's.
    public var id: String { (folder as NSString).lastPathComponent }
    /// Bytes in its data file.
    public var dirtyBytes: Int64 { Int64(states.dataBlocks) * Int64(DiskUnit.block) }

    private init(_ folder: String, _ data: Descriptor, _ stateFile: OverlayStateFile, _ states: OverlayStates, isNew: Bool, isVolatile: Bool) {
        self.folder = folder
        self.isVolatile = isVolatile
        self.data = OverlayData(data, path: folder + "/data", bypassing: !isVolatile)
        self.stateFile = stateFile
        self.states = states
        self.isNew = Atomic(isNew)
        // Another process may have written what is not yet synced.
        hasUnsynced = Atomic(true)
        size = stateFile.diskSize
    }

    /// Whether `folder` holds an overlay: without one, nothing was written to it that anybody was told is safe.
    public static func exists(in folder: String) throws -> Bool { try OverlayStateFile.isThere(folder + "/state") }

    /// Makes an empty overlay in `folder`, which must not hold one yet.
    ///
    /// It is durable after the first flush, of which every seal is one; a host that dies before leaves nothing to open.
    /// - Parameters:
    ///   - liveState: an empty memfd or tmpfs file that lives as long as the machine; `nil` = live state dies with this process.
    ///   - volatile: for content that nobody needs after the host died: flushes do nothing, and only ``settle()`` lets another process open it.
    public static func create(in folder: String, size: Int64, liveState: Descriptor? = nil, volatile: Bool = false) throws -> Overlay {
        guard size > 0, size <= 1 << 50 else { throw DiskError("invalid", "a disk cannot have \(size) bytes", fix: "give it a size from 1 byte to 1 PiB") }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let data = try Descriptor(folder + "/data", O_RDWR | O_CREAT | O_EXCL)
        try check("grow", folder + "/data") { ftruncate(data.raw, off_t(DiskUnit.roundUp(size))) }
        let file = try OverlayStateFile(creating: folder + "/state", diskSize: size)
        try file.claim(folder, shared: false)
        let states = try OverlayStates(diskSize: size, identity: file.identity, live: liveState)
        guard !states.resumed else { throw DiskError("foreignState", "the live state for \(folder) is not empty", fix: "hand over an empty descriptor") }
        states.markReady()
        return Overlay(folder, data, file, states, isNew: true, isVolatile: volatile)
    }

    /// Opens the overlay in `folder` for writing, with its live state if there is one, else as it was last flushed.
    public static func open(_ folder: String, liveState: Descriptor? = nil, volatile: Bool = false) throws -> Overlay {
        let (overlay, sealed) = try openAny(folder, liveState: liveState, sealing: false, volatile: volatile)
        if sealed { throw DiskError("sealed", "the overlay \(folder) is sealed", fix: "open it as a sealed overlay, with a new overlay on top") }
        try dropChecksums(folder)
        return overlay
    }

    static func openAny(_ folder: String, liveState: Descriptor?, sealing: Bool, volatile: Bool = false) throws -> (Overlay, sealed: Bool) {
        let dataPath = folder + "/data"
        let file = try OverlayStateFile(opening: folder + "/state")
        try file.claim(folder, shared: sealing)
        let data = try Descriptor(dataPath, writableUnlessReadOnly: sealing)
        guard try check("seek", dataPath, { lseek(data.raw, 0, SEEK_END) }) == DiskUnit.roundUp(file.diskSize) else {
            throw DiskError("corrupt", "\(dataPath) has another size than its state says", fix: "go back to the last checkpoint")
        }
        let states = try OverlayStates(diskSize: file.diskSize, identity: file.identity, live: liveState)
        if states.resumed {
            // Which pages the last process had changed since its last flush died with it: compare.
            var durable = Set<Int>()
            var copy = [UInt8](repeating: 0, count: OverlayStates.pageBytes)
            try copy.withUnsafeMutableBytes { copy in
                guard let words = copy.baseAddress else { return }
                try file.load { page, saved in
                    durable.insert(page)
                    states.copyPage(page, to: words)
                    if memcmp(words, saved, copy.count) != 0 { states.markDirty(page) }
                }
            }
            for page in 0..<states.pageCount where states.isTouched(page) && !durable.contains(page) { states.markDirty(page) }
        } else {
            try file.load(states.loadPage)
            states.markReady()
        }
        let overlay = Overlay(folder, data, file, states, isNew: true, isVolatile: volatile)
        return (overlay, try file.isSealed())
    }

    /// Reads blocks in state `data`.
    func readData(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws { try data.read(into: buffer, at: offset) }

    /// Lets the kernel begin to read what a range has of blocks in state `data`.
    func prefetch(at offset: Int64, _ count: Int64) {
        var block = Int(offset >> DiskUnit.blockShift)
        let end = DiskUnit.blocks(min(offset + count, size))
        while block < end {
            let (state, next) = states.run(from: block, to: end)
            if state == .data { data.prefetch(at: Int64(block) << DiskUnit.blockShift, Int64(next - block) << DiskUnit.blockShift) }
            block = max(next, block + 1)
        }
    }

    /// Writes whole blocks (less only at the disk's end, or over blocks that are in state `data`).
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        try requireWritable()
        try data.write(bytes, at: offset)
        hasUnsynced.store(true, ordering: .sequentiallyConsistent)
        states.set(.data, from: Int(offset >> DiskUnit.blockShift), to: DiskUnit.blocks(offset + Int64(bytes.count)))
    }

    /// Makes whole blocks zero, and gives back what they took.
    func zero(_ blocks: Range<Int>) throws {
        try requireWritable()
        var block = blocks.lowerBound
        while block < blocks.upperBound {
            let (state, end) = states.run(from: block, to: blocks.upperBound)
            if state == .data { try punch(block..<end) }
            states.set(.zero, from: block, to: end)
            block = end
        }
    }

    private func punch(_ blocks: Range<Int>) throws {
        try data.punch(at: Int64(blocks.lowerBound) << DiskUnit.blockShift, Int64(blocks.count) << DiskUnit.blockShift)
        hasUnsynced.store(true, ordering: .sequentiallyConsistent)
    }

    private func requireWritable() throws {
        if frozen.load(ordering: .acquiring) { throw DiskError("sealed", "the overlay \(folder) is sealed and takes no more writes") }
    }

    /// Makes all durable that was written before the call; one run serves all who wait for it.
    func flush() throws {
        if isVolatile { return }
        try gate.run {
            try stateFile.commit(states, syncData: syncData)
            if isNew.load(ordering: .relaxed) {
                try stateFile.sync()
                try syncFolder(folder)
                try syncFolder((folder as NSString).deletingLastPathComponent)
                isNew.store(false, ordering: .relaxed)
            }
        }
    }

    /// Writes down what a volatile overlay holds, for other processes of this host; the data itself stays where the kernel has it.
    public func settle() throws {
        if isVolatile { try gate.run { try stateFile.commit(states) {} } }
    }

    /// Puts bytes that were damaged in the data file right, whatever the state of the overlay: they are what it says.
    func repairData(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws { try data.write(bytes, at: offset) }
    func syncRepairs() throws { try data.sync() }

    private func syncData() throws {
        if let failure = lostWrite.withLock({ $0 }) { throw failure }
        guard hasUnsynced.exchange(false, ordering: .sequentiallyConsistent) else { return }
        do {
            try data.sync()
        } catch {
            lostWrite.withLock { $0 = error }
            throw error
        }
    }
}
