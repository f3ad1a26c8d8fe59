import ChunkStore

/// Every block of a new file system: which inode each file has, what lies where.
struct Ext4Plan {
    /// A run of blocks that holds a part of a file.
    struct Part {
        var content: any FileContent
        /// In the file: bytes.
        var offset: Int64
        /// The first block.
        var disk: Int
        var blocks: Int64
    }

    private struct File {
        var node: FileNode
        var path: ByteString
        var parent: UInt32
        var names = 1
        /// What is in it, if it is a folder.
        var entries: [Ext4FolderWriter.Entry] = []
        var folders = 0
    }

    private static let firstInode: UInt32 = 11
    private static let journalInode: UInt32 = 8
    private static let resizeInode: UInt32 = 7
    /// The kernel's EXT4_LINK_MAX.
    private static let largestLinks = 65000

    let geometry: Ext4Geometry
    private let size: Int64
    /// UUID and hash seed come from this.
    private let seed: Digest
    private let checksumSeed: UInt32
    private var allocator: Ext4Allocator
    private var files: [File] = []
    private var numbers: [UInt32] = []
    private var inodes: [UInt32: [UInt8]] = [:]
    private var folders: [UInt32] = []
    private var blocks: [(Int, [UInt8])] = []
    private var journalField: [UInt8] = []
    private let journalBlocks: Int
    private(set) var parts: [Part] = []

    init(_ tree: FileTree, _ contents: [ObjectIdentifier: ContentScan], size: Int64, journalBlocks: Int) throws {
        (self.size, self.journalBlocks) = (size, journalBlocks)
        seed = TreeDigest.of(tree, contents)
        checksumSeed = CRC32C.update(.max, Self.uuid(seed, 0))
        (files, numbers) = try Self.number(tree)
        geometry = try Ext4Geometry(size: size, files: files.count + Int(Self.firstInode))
        allocator = Ext4Allocator(geometry, size: size)
        try placeJournal()
        try placeResizeInode()
        // Folders lie together, so that a search does not go through all of the disk; then what is short; then what files hold.
        for index in files.indices where files[index].node.folder != nil { try placeFolder(index) }
        for index in files.indices where files[index].node.folder == nil && files[index].node.content == nil { try placeOther(index) }
        for index in files.indices { if let content = files[index].node.content { try placeFile(index, content, contents) } }
    }

    // MARK: numbers

    private static func number(_ tree: FileTree) throws -> ([File], [UInt32]) {
        guard let root = tree.root.folder else { throw TreeError("invalid", "the root of the tree is not a folder") }
        var files = [File(node: tree.root, path: "", parent: 2)]
        var numbers: [UInt32] = [2]
        var index: [ObjectIdentifier: Int] = [:]
        var next = firstInode + 1
        // Where e2fsck puts what it finds; a tree without it gets one.
        let lost = root["lost+found"] ?? FileNode(.folder(FileFolder()), mode: 0o700, modified: FileTime(seconds: Ext4Formatter.epoch))
        var pending = [(index: 0, entries: (root.children.filter { $0.key != "lost+found" } + [("lost+found", lost)]).sorted { $0.0 < $1.0 }[...])]
        files[0].entries = [.init(name: [0x2E], inode: 2, type: 2), .init(name: [0x2E, 0x2E], inode: 2, type: 2)]
        while let last = pending.indices.last {
            guard let (name, node) = pending[last].entries.popFirst() else {
                pending.removeLast()
                continue
            }
            let parent = pending[last].index
            let path = files[parent].path.appending(name)
            if node.folder == nil, let known = index[ObjectIdentifier(node)] {
                files[known].names += 1
                files[parent].entries.append(.init(name: name.bytes, inode: numbers[known], type: node.kind.entryType))
                continue
            }
            let isLost = parent == 0 && name == "lost+found"
            let number = isLost ? firstInode : next
            if !isLost { next += 1 }
            index[ObjectIdentifier(node)] = files.count
            files[parent].entries.append(.init(name: name.bytes, inode: number, type: node.kind.entryType))
            numbers.append(number)
            files.append(File(node: node, path: path, parent: numbers[parent]))
            if let folder = node.folder {
                let own = files.count - 1
                files[parent].folders += 1
                files[own].entries = [.init(name: [0x2E], inode: number, type: 2), .init(name: [0x2E, 0x2E], inode: numbers[parent], type: 2)]
                pending.append((own, folder.sorted.map { ($0.name, $0.node) }[...]))
            }
        }
        if let many = files.first(where: { $0.names > largestLinks || $0.folders > largestLinks - 2 }) {
            throw TreeError(
                "unsupported", "/\(many.path) has \(max(many.names, many.folders)) names or folders, and ext4 allows \(largestLinks)",
                fix: "split the folder, or copy the file instead of linking it")
        }
        return (files, numbers)
    }

    // MARK: places

    private func inodeSeed(_ number: UInt32) -> UInt32 { CRC32C.update(CRC32C.update(checksumSeed, number), UInt32(0)) }

    private mutating func write(_ record: Ext4InodeRecord, _ number: UInt32) { inodes[number] = record.encoded(seed: inodeSeed(number)) }

    /// Mode, owner, time and attributes of a file.
    private mutating func record(_ index: Int) throws -> Ext4InodeRecord {
        let file = files[index]
        let node = file.node
        var record = Ext4InodeRecord(
            mode: node.kind.format | node.mode & 0o7777, links: UInt16(node.folder == nil ? file.names : file.folders + 2), user: node.user, group: node.group,
            modified: node.modified, epoch: Ext4Formatter.epoch)
        let attributes = try Ext4AttributeWriter(node.attributes, file.path)
        if let bytes = attributes.inInode(Ext4InodeRecord.attributeRoom) {
            record.attributes = bytes
        } else if !attributes.isEmpty {
            let block = try allocator.takeOne()
            blocks.append((block, attributes.block(block, seed: checksumSeed)))
            (record.attributeBlock, record.blocks) = (block, 1)
        }
        return record
    }

    /// Takes blocks for parts of a file: first block in the file, and how many.
    private mutating func extents(_ wanted: [(logical: UInt64, count: UInt64)]) throws -> [Ext4Extent] {
        var extents: [Ext4Extent] = []
        for part in wanted {
            var logical = part.logical
            for run in try allocator.take(Int(part.count)) {
                extents.append(Ext4Extent(logical: logical, physical: UInt64(run.lowerBound), count: UInt64(run.count)))
                logical += UInt64(run.count)
            }
        }
        return extents
    }

    private mutating func map(_ extents: [Ext4Extent], _ number: UInt32, _ record: inout Ext4InodeRecord) throws {
        let tree = try Ext4ExtentTree(extents, seed: inodeSeed(number), &allocator)
        blocks += tree.blocks
        record.flags.insert(.extents)
        record.field = tree.root
        record.blocks += extents.reduce(0) { $0 + $1.count } + UInt64(tree.blocks.count)
    }

    private mutating func placeFolder(_ index: Int) throws {
        let number = numbers[index]
        var record = try record(index)
        let packed = Ext4FolderWriter.pack(files[index].entries)
        let extents = try extents([(0, UInt64(packed.count))])
        let places = extents.flatMap { Int($0.physical)..<Int($0.physical + $0.count) }
        for (block, range) in zip(places, packed) { blocks.append((block, Ext4FolderWriter.block(files[index].entries[range], seed: inodeSeed(number)))) }
        record.size = UInt64(packed.count * Ext4Geometry.blockBytes)
        try map(extents, number, &record)
        write(record, number)
        folders.append(number)
    }

    private mutating func placeOther(_ index: Int) throws {
        let number = numbers[index]
        var record = try record(index)
        switch files[index].node.kind {
        case .symlink(let target):
            guard !target.isEmpty, target.count < Ext4Geometry.blockBytes else {
                throw TreeError("unsupported", "the link /\(files[index].path) has a target of \(target.count) bytes, and ext4 allows 1 to 4,095")
            }
            record.size = UInt64(target.count)
            if target.count < 60 {
                record.field = target.bytes + [UInt8](repeating: 0, count: 60 - target.count)
            } else {
                let extents = try extents([(0, 1)])
                blocks.append((Int(extents[0].physical), target.bytes + [UInt8](repeating: 0, count: Ext4Geometry.blockBytes - target.count)))
                try map(extents, number, &record)
            }
        case .characterDevice(let device), .blockDevice(let device): record.field = Ext4InodeRecord.field(device)
        case .fifo, .socket, .folder, .file: break
        }
        write(record, number)
    }

    private mutating func placeFile(_ index: Int, _ content: any FileContent, _ contents: [ObjectIdentifier: ContentScan]) throws {
        let number = numbers[index]
        let block = Int64(Ext4Geometry.blockBytes)
        var record = try record(index)
        guard let scan = contents[ObjectIdentifier(files[index].node)] else { throw TreeError("internal", "nobody looked at /\(files[index].path)") }
        guard content.size <= (1 << 32 - 1) * block else {
            throw TreeError("unsupported", "/\(files[index].path) has \(content.size) bytes, and ext4 allows 16 TiB less one block")
        }
        let extents = try extents(scan.data.map { (UInt64($0.lowerBound / block), UInt64(($0.upperBound - $0.lowerBound + block - 1) / block)) })
        for extent in extents {
            parts.append(Part(content: content, offset: Int64(extent.logical) * block, disk: Int(extent.physical), blocks: Int64(extent.count)))
        }
        record.size = UInt64(content.size)
        try map(extents, number, &record)
        write(record, number)
    }

    // MARK: what is ext4's own

    private mutating func placeJournal() throws {
        var record = Ext4InodeRecord(
            mode: Ext4Inode.Format.file | 0o600, links: 1, modified: FileTime(seconds: Ext4Formatter.epoch), epoch: Ext4Formatter.epoch)
        record.size = UInt64(journalBlocks * Ext4Geometry.blockBytes)
        let extents = try extents([(0, UInt64(journalBlocks))])
        try map(extents, Self.journalInode, &record)
        journalField = record.field
        write(record, Self.journalInode)
        blocks.append((Int(extents[0].physical), Ext4JournalHeader.block(blocks: journalBlocks, uuid: Self.uuid(seed, 0))))
    }

    /// The file that holds the blocks kept for descriptors: each of those in the first group lists its copies in others.
    private mutating func placeResizeInode() throws {
        var record = Ext4InodeRecord(
            mode: Ext4Inode.Format.file | 0o600, links: 1, modified: FileTime(seconds: Ext4Formatter.epoch), epoch: Ext4Formatter.epoch)
        let perBlock = Ext4Geometry.numbersPerBlock
        record.size = UInt64(perBlock * perBlock + perBlock + 12) * UInt64(Ext4Geometry.blockBytes)
        let copies = geometry.groupsWithCopies.dropFirst()
        if geometry.reservedDescriptorBlocks > 0 {
            let table = try allocator.takeOne()
            var bytes = [UInt8](repeating: 0, count: Ext4Geometry.blockBytes)
            for index in 0..<geometry.reservedDescriptorBlocks {
                let block = 1 + geometry.descriptorBlocks + index
                bytes.put(UInt32(block), at: (geometry.descriptorBlocks + index) % perBlock * 4)
                var list = [UInt8](repeating: 0, count: Ext4Geometry.blockBytes)
                for (slot, group) in copies.enumerated() { list.put(UInt32(block + group * Ext4Geometry.blocksPerGroup), at: slot * 4) }
                if !copies.isEmpty { blocks.append((block, list)) }
            }
            blocks.append((table, bytes))
            record.field.put(UInt32(table), at: 13 * 4)
            record.blocks = UInt64(1 + geometry.reservedDescriptorBlocks * (1 + copies.count))
        }
        write(record, Self.resizeInode)
    }

    // MARK: the bytes

    /// 16 bytes that are a UUID.
    private static func uuid(_ seed: Digest, _ number: UInt8) -> [UInt8] {
        var bytes = Array((seed.bytes + [number]).withUnsafeBytes { Digest.of($0) }.bytes[..<16])
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return bytes
    }

    /// All that is not a file's content: first block, and bytes from there on.
    func metadata() -> [(block: Int, bytes: [UInt8])] {
        var result = blocks.map { (block: $0.0, bytes: $0.1) }
        let perGroup = geometry.inodesPerGroup
        var used = [Int](repeating: 0, count: geometry.groups)
        used[0] = Int(Self.firstInode) - 1
        var tables: [Int: [UInt8]] = [:]
        for (number, bytes) in inodes {
            let (group, index) = (Int(number - 1) / perGroup, Int(number - 1) % perGroup)
            used[group] = max(used[group], index + 1)
            tables[group, default: [UInt8](repeating: 0, count: perGroup * Ext4Geometry.inodeBytes)].replaceSubrange(
                index * Ext4Geometry.inodeBytes..<(index + 1) * Ext4Geometry.inodeBytes, with: bytes)
        }
        for (group, bytes) in tables {
            let count = (used[group] * Ext4Geometry.inodeBytes + Ext4Geometry.blockBytes - 1) / Ext4Geometry.blockBytes * Ext4Geometry.blockBytes
            result.append((geometry.inodeTables[group], Array(bytes[..<count])))
        }
        let groups = Ext4GroupTables(geometry, usedBlocks: allocator.used, usedInodes: used, folders: folders, checksumSeed: checksumSeed)
        for group in 0..<geometry.groups {
            if !isZero(groups.blockBitmaps[group]) { result.append((geometry.blockBitmaps[group], groups.blockBitmaps[group])) }
            if !isZero(groups.inodeBitmaps[group]) { result.append((geometry.inodeBitmaps[group], groups.inodeBitmaps[group])) }
        }
        let header = Ext4SuperblockRecord(
            geometry: geometry, freeBlocks: groups.freeBlocks, freeInodes: groups.freeInodes, uuid: Self.uuid(seed, 0), hashSeed: Self.uuid(seed, 1),
            journalField: journalField, journalBytes: UInt64(journalBlocks * Ext4Geometry.blockBytes))
        for group in geometry.groupsWithCopies {
            let start = group * Ext4Geometry.blocksPerGroup
            result.append((start, header.block(group)))
            result.append((start + 1, groups.descriptors))
        }
        return result.sorted { $0.block < $1.block }
    }

    private func isZero(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { Trees.isZero($0) } }
}
