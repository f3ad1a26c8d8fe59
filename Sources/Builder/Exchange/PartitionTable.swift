import Archives

/// Where the parts of a disk are: the table of a PC's BIOS or of UEFI.
///
/// Source: UEFI Specification 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout".
struct PartitionTable {
    /// Bytes of the disk, those that lie in it.
    let partitions: [Range<Int64>]
    private static let sector: Int64 = 512

    init(_ disk: FileSpan) throws {
        func number(_ bytes: ArraySlice<UInt8>) -> Int64 { Int64(clamping: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
        func range(_ first: Int64, _ count: Int64) -> Range<Int64>? {
            let sectors = disk.size / Self.sector
            guard first > 0, count > 0, first < sectors, count <= sectors - first else { return nil }
            return first * Self.sector..<(first + count) * Self.sector
        }
        let head = try disk.bytes(at: 0, 1024)
        guard head.count == 1024 else {
            partitions = []
            return
        }
        if head[512..<520].elementsEqual(Array("EFI PART".utf8)) {
            let (start, count, size) = (number(head[584..<592]), number(head[592..<596]), number(head[596..<600]))
            guard (2..<1 << 40).contains(start), (1...1024).contains(count), (128...4096).contains(size) else {
                partitions = []
                return
            }
            let entries = try disk.bytes(at: start * Self.sector, Int(count * size))
            partitions = stride(from: 0, to: entries.count - Int(size) + 1, by: Int(size)).compactMap { place in
                let first = number(entries[(place + 32)..<(place + 40)])
                let last = number(entries[(place + 40)..<(place + 48)])
                return last < .max && last >= first ? range(first, last - first + 1) : nil
            }
        } else if head[510..<512].elementsEqual([0x55, 0xaa]) {
            partitions = (0..<4).compactMap { index in
                let place = 446 + index * 16
                return range(number(head[(place + 8)..<(place + 12)]), number(head[(place + 12)..<(place + 16)]))
            }
        } else {
            partitions = []
        }
    }
}
