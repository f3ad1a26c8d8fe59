import ChunkStore
import Glibc
import Linux

/// Which chunk number lies at each place of an image's disk: a file with a number for each leaf, and the leaves that it shares with other images
/// (``MapLeaves``). Both are mapped: opening it takes no longer for a larger disk, and an image that changes little adds only the leaves it changes.
///
/// It is only a shortcut, made again from the layers when it is not there or its leaves are not. Little-endian: `TRRNMAP3`, the id of the file of
/// leaves (u64), the number of places (u64), zero (u64); then a u32 for each 1,024 places, 0 for zeroes. Whoever uses it holds a shared lock on it, which
/// keeps `gc` from the image.
final class ImageMap: Sendable {
    private static let magic: UInt64 = 0x3350_414D_4E52_5254
    private static let headerBytes = 32

    /// How many places the disk has.
    let count: Int
    private let path: String
    private let root: MappedFile
    private let leaves: MapLeaves

    /// Holds the lock.
    var file: Descriptor { root.file }

    /// Nil when there is no such file, or none that can be used.
    init?(_ path: String, leaves: () throws -> MapLeaves?) throws {
        guard let root = try Self.open(path) else { return nil }
        try check("lock", path) { flock(root.file.raw, LOCK_SH) }
        var status = stat()
        try check("look at", path) { fstat(root.file.raw, &status) }
        // Without a name: `gc` took it before it was locked.
        guard status.st_nlink > 0, let leaves = try leaves(), Self.leavesID(root) == leaves.id else { return nil }
        (self.path, self.root, self.leaves) = (path, root, leaves)
        count = Int(clamping: root.long(16))
        guard (root.bytes.count - Self.headerBytes) / 4 >= Self.leafCount(count) else { return nil }
    }

    private static func open(_ path: String) throws -> MappedFile? {
        let file: Descriptor
        do { file = try Descriptor(path, O_RDONLY) } catch let error as LinuxError where error.code == ENOENT { return nil }
        guard let root = try MappedFile(file, path), root.bytes.count >= headerBytes else { return nil }
        return root
    }

    private static func leavesID(_ root: MappedFile) -> UInt64? { root.long(0) == magic ? root.long(8) : nil }

    private static func leafCount(_ places: Int) -> Int { places / MapLeaves.places + (places % MapLeaves.places == 0 ? 0 : 1) }

    /// Removes a map that nobody reads, and has not just made; whether it is gone. Who opens it meanwhile finds that it has no name.
    static func removeIfUnused(_ path: String) throws -> Bool {
        let file: Descriptor
        do { file = try Descriptor(path, O_RDONLY) } catch let error as LinuxError where error.code == ENOENT { return true }
        guard flock(file.raw, LOCK_EX | LOCK_NB) == 0 else { return false }
        removeName(path)
        return true
    }

    /// Adds the leaves that the map at `path` uses, if they are in the file `id`.
    ///
    /// - Returns: whether they are; without them the map is of no use.
    static func mark(_ path: String, of id: UInt64, in used: inout NumberSet) throws -> Bool {
        guard let root = try open(path), leavesID(root) == id else { return false }
        for offset in stride(from: headerBytes, to: root.bytes.count - 3, by: 4) { used.insert(Int(root.word(offset))) }
        return true
    }

    // MARK: looking up

    /// How many leaves it has; a leaf of zeroes is one too.
    var leafCount: Int { Self.leafCount(count) }

    /// The leaf's number in its file; 0 for zeroes and past the end.
    private func number(ofLeaf leaf: Int) -> UInt32 { leaf < leafCount ? root.word(Self.headerBytes + leaf * 4) : 0 }

    /// The leaf's places as they lie in the file; nil when all are zero.
    private func content(_ leaf: Int) throws -> UnsafeBufferPointer<UInt32>? {
        let number = number(ofLeaf: leaf)
        if number == 0 { return nil }
        guard let content = leaves.leaf(number) else { throw damaged() }
        return content
    }

    /// The number of the chunk at a place; 0 for zeroes and past the end.
    func number(at index: UInt64) throws -> UInt32 {
        guard index < UInt64(count) else { return 0 }
        return try number(in: content(Int(index) / MapLeaves.places), Int(index) % MapLeaves.places)
    }

    private func number(in leaf: UnsafeBufferPointer<UInt32>?, _ place: Int) throws -> UInt32 {
        guard let leaf else { return 0 }
        let number = UInt32(littleEndian: leaf[place])
        if number == 0 { throw damaged() }
        return number == MapLeaves.zeroes ? 0 : number
    }

    private func damaged() -> ImageError {
        ImageError(
            "corrupt", "the map \(path) has lost a part", cause: "somebody removed it while it was in use, or the disk is failing",
            fix: "start what uses the image again: the map is made anew")
    }

    /// Calls `body` for each place whose number is not that in `other` (0 for zeroes), ascending. Leaves that they share are not looked at.
    func forEachDifference(from other: ImageMap?, _ body: (_ place: Int, _ old: UInt32, _ new: UInt32) throws -> Void) throws {
        let sharing = other?.leaves.id == leaves.id
        for leaf in 0..<max(leafCount, other?.leafCount ?? 0) {
            let (mine, theirs) = (number(ofLeaf: leaf), other?.number(ofLeaf: leaf) ?? 0)
            if mine == theirs, sharing || mine == 0 { continue }
            let (new, old) = (try content(leaf), try other?.content(leaf))
            for place in 0..<MapLeaves.places {
                let (before, now) = (try other?.number(in: old, place) ?? 0, try number(in: new, place))
                if before != now { try body(leaf * MapLeaves.places + place, before, now) }
            }
        }
    }

    /// The numbers of all chunks that are not zero; one that is there twice comes twice.
    func numbers() throws -> [UInt32] {
        var result: [UInt32] = []
        try forEachDifference(from: nil) { _, _, number in result.append(number) }
        return result
    }

    // MARK: writing

    /// Writes a map: that of `parent`, with `changes` over it, ascending. Whoever opens `path` finds all of it or what was there before.
    static func write(_ path: String, leaves: MapLeaves, count: Int, parent: ImageMap?, _ changes: [(index: UInt64, number: UInt32)]) throws {
        var header = [UInt64](repeating: 0, count: 4)
        (header[0], header[1], header[2]) = (magic.littleEndian, leaves.id.littleEndian, UInt64(count).littleEndian)
        var root = header.withUnsafeBytes { Array($0) }
        root.reserveCapacity(headerBytes + leafCount(count) * 4)
        var rest = changes[...]
        for leaf in 0..<leafCount(count) {
            let own = rest.prefix { $0.index < UInt64((leaf + 1) * MapLeaves.places) }
            rest = rest[own.endIndex...]
            let number = try write(leaf, leaves, parent, own)
            root.append32(number)
        }
        try replaceFile(path, with: root, durable: false)
    }

    /// The number of the parent's leaf with `changes` over it: the parent's own, or a new one.
    private static func write(_ leaf: Int, _ leaves: MapLeaves, _ parent: ImageMap?, _ changes: ArraySlice<(index: UInt64, number: UInt32)>) throws -> UInt32 {
        let old = try parent?.content(leaf)
        let shared = parent?.leaves.id == leaves.id ? parent?.number(ofLeaf: leaf) : nil
        if changes.isEmpty, old == nil { return 0 }
        if changes.isEmpty, let shared { return shared }
        var places = old.map { Array($0) } ?? [UInt32](repeating: MapLeaves.zeroes, count: MapLeaves.places)
        if places.contains(0) { throw parent?.damaged() ?? ImageError("internal", "a leaf of zeroes has a hole") }
        for (index, number) in changes { places[Int(index) % MapLeaves.places] = number == 0 ? MapLeaves.zeroes : number.littleEndian }
        if places.allSatisfy({ $0 == MapLeaves.zeroes }) { return 0 }
        if let shared, let old, places.elementsEqual(old) { return shared }
        return try leaves.append(places)
    }
}
