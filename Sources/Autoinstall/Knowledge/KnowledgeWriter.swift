import Disks
import Glibc

/// Collects which package has what, and lays it out as Docs/formats/knowledge.md says.
struct KnowledgeWriter {
    private struct Record {
        let offset: UInt32
        let length: UInt32
        let package: UInt32
    }

    /// All keys, one behind the other.
    private var arena: [UInt8] = []
    private var records: [Record] = []
    private var numbers: [String: UInt32] = [:]
    private var packages: [(name: String, section: String)] = []

    static let keysOfBlock = 64
    /// More owners of one thing say nothing.
    static let ownerLimit = 12

    /// - Parameter owner: `libdevel/libpq-dev`, `contrib/net/x`.
    mutating func add(_ key: KnowledgeKey, owner: UnsafeRawBufferPointer) {
        let text = String(decoding: owner, as: UTF8.self)
        guard let name = text.split(separator: "/").last, arena.count < Int(UInt32.max) - 5000, key.name.utf8.count < 4000 else { return }
        let number: UInt32
        if let known = numbers[text] {
            number = known
        } else {
            number = UInt32(packages.count)
            numbers[text] = number
            packages.append((String(name), text.split(separator: "/").dropLast().joined(separator: "/")))
        }
        records.append(Record(offset: UInt32(arena.count), length: UInt32(key.name.utf8.count + 1), package: number))
        arena.append(key.kind.rawValue)
        arena.append(contentsOf: key.name.utf8)
    }

    /// The index.
    ///
    /// - Parameters:
    ///   - made: seconds since 1970.
    ///   - uses: how many projects ask for a package, by its name.
    func finish(made: UInt64, uses: [String: Int]) -> [UInt8] {
        let order = packages.indices.sorted { PackageRank(packages[$0], uses) < PackageRank(packages[$1], uses) }
        var ranks = [UInt32](repeating: 0, count: packages.count)
        for (rank, index) in order.enumerated() { ranks[index] = UInt32(rank) }
        let sorted = arena.withUnsafeBytes { arena in
            records.sorted { a, b in
                let shared = Int(min(a.length, b.length))
                // Both lie within the arena.
                let difference = arena.baseAddress.map { memcmp($0 + Int(a.offset), $0 + Int(b.offset), shared) } ?? 0
                if difference != 0 { return difference < 0 }
                return (a.length, ranks[Int(a.package)]) < (b.length, ranks[Int(b.package)])
            }
        }
        return KnowledgeLayout.write(blocks(sorted, ranks), packages: order.map { packages[$0].name }, made: made)
    }

    private func blocks(_ sorted: [Record], _ ranks: [UInt32]) -> [[UInt8]] {
        var blocks: [[UInt8]] = []
        var block: [UInt8] = []
        var inBlock = 0
        arena.withUnsafeBytes { arena in
            func key(_ at: Int) -> UnsafeRawBufferPointer {
                UnsafeRawBufferPointer(rebasing: arena[Int(sorted[at].offset)..<Int(sorted[at].offset + sorted[at].length)])
            }
            var previous = UnsafeRawBufferPointer(start: nil, count: 0)
            var at = 0
            while at < sorted.count {
                let own = key(at)
                var owners: [UInt32] = []
                repeat {
                    let owner = ranks[Int(sorted[at].package)]
                    if owners.last != owner, owners.count < Self.ownerLimit { owners.append(owner) }
                    at += 1
                } while at < sorted.count && Self.isSame(key(at), own)
                let shared = inBlock == 0 ? 0 : Self.shared(previous, own)
                KnowledgeLayout.append(shared, to: &block)
                KnowledgeLayout.append(own.count - shared, to: &block)
                block.append(contentsOf: own[shared...])
                KnowledgeLayout.append(owners.count, to: &block)
                for owner in owners { KnowledgeLayout.append(Int(owner), to: &block) }
                previous = own
                inBlock += 1
                if inBlock == Self.keysOfBlock {
                    blocks.append(block)
                    (block, inBlock) = ([], 0)
                }
            }
        }
        if !block.isEmpty { blocks.append(block) }
        return blocks
    }

    private static func isSame(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count, let first = a.baseAddress, let second = b.baseAddress else { return a.count == b.count }
        return memcmp(first, second, a.count) == 0
    }

    private static func shared(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        var count = 0
        while count < min(a.count, b.count), a[count] == b[count] { count += 1 }
        return count
    }
}

/// Which of several packages with the same thing is meant, the best first: of the main archive; no documentation, debugging or test package and none for
/// another architecture; the one that most
/// other projects ask for; the shortest name; the alphabet.
private struct PackageRank: Comparable {
    private let penalty: Int
    private let uses: Int
    private let name: String

    init(_ package: (name: String, section: String), _ uses: [String: Int]) {
        let (name, section) = package
        let parts = section.split(separator: "/")
        var penalty = parts.count > 1 ? (parts[0] == "contrib" ? 4 : 6) : 0
        if Self.asides.contains(where: name.hasSuffix) || Self.sideSections.contains(String(parts.last ?? "")) { penalty += 2 }
        if name.contains("-cross") || name.contains("mingw") || name.contains("-arm64") || name.contains("-i386") || name.contains("-aarch64") { penalty += 3 }
        if parts.last == "oldlibs" { penalty += 1 }
        (self.penalty, self.uses, self.name) = (penalty, uses[name] ?? 0, name)
    }

    private static let asides = ["-doc", "-docs", "-dbg", "-dbgsym", "-examples", "-example", "-test", "-tests", "-testsuite", "-udeb", "-demo", "-demos"]
    private static let sideSections: Set<String> = ["doc", "debug", "localization", "metapackages"]

    static func < (a: PackageRank, b: PackageRank) -> Bool {
        (a.penalty, -a.uses, a.name.utf8.count, a.name) < (b.penalty, -b.uses, b.name.utf8.count, b.name)
    }
}
