import Foundation
import Trees

/// The headers of one entry.
struct TarHeaderWriter {
    var name: [UInt8]
    var link: [UInt8] = []
    var type = UInt8(ascii: "0")
    var device = DeviceNumber(major: 0, minor: 0)
    private let node: FileNode
    private var extended = PaxRecords()

    init(path: ByteString, node: FileNode) { (name, self.node) = (path.bytes, node) }

    /// By name, so that the same attributes give the same bytes.
    mutating func addAttributes(_ attributes: [ByteString: [UInt8]]) {
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
            if let text = String(validating: name.bytes, as: UTF8.self), !text.contains("="), !text.contains("%") {
                extended.append("SCHILY.xattr." + text, value)
            } else {
                // What a keyword cannot hold, as libarchive writes it.
                let plain = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
                let text = String(decoding: name.bytes, as: UTF8.self).addingPercentEncoding(withAllowedCharacters: plain) ?? ""
                extended.append("LIBARCHIVE.xattr." + text, Array(Data(value).base64EncodedString().utf8))
            }
        }
    }

    /// Makes it one whose data begins with a map of holes.
    mutating func makeSparse(realSize: Int64) {
        extended.append("GNU.sparse.major", Array("1".utf8))
        extended.append("GNU.sparse.minor", Array("0".utf8))
        extended.append("GNU.sparse.name", name)
        extended.append("GNU.sparse.realsize", Array(String(realSize).utf8))
        // For programs that do not know holes: another name.
        name = Array("GNUSparseFile.0/".utf8) + Self.lastPart(of: name)
    }

    /// One block, with an extended header in front when something needs it.
    func encoded(size: Int64) -> [UInt8] {
        var records = extended
        var (name, prefix) = (self.name, [UInt8]())
        if name.count > 100 {
            if let split = Self.split(name) {
                (prefix, name) = split
            } else {
                records.append("path", name)
                name = Array(name.prefix(100))
            }
        }
        var link = link
        if link.count > 100 {
            records.append("linkpath", link)
            link = Array(link.prefix(100))
        }
        func number(_ key: String, _ value: Int64, _ width: Int) -> [UInt8] {
            if let digits = TarNumber.octal(value, width: width) { return digits }
            records.append(key, Array(String(value).utf8))
            return TarNumber.octal(0, width: width) ?? []
        }
        let time = node.modified
        if time.nanoseconds != 0 || time.seconds < 0 || time.seconds >= 1 << 33 { records.append("mtime", Array(PaxTime.text(time).utf8)) }
        let fields = [
            name + [UInt8](repeating: 0, count: 100 - name.count),
            TarNumber.octal(Int64(node.mode), width: 8) ?? [],
            number("uid", Int64(node.user), 8), number("gid", Int64(node.group), 8), number("size", size, 12),
            TarNumber.octal(min(max(0, time.seconds), (1 << 33) - 1), width: 12) ?? [],
            [UInt8](repeating: 32, count: 8), [type],
            link + [UInt8](repeating: 0, count: 100 - link.count),
            Array("ustar\u{0}00".utf8), [UInt8](repeating: 0, count: 64),
            // Numbers of devices have at most 20 bits, which is seven digits.
            TarNumber.octal(Int64(device.major), width: 8) ?? [], TarNumber.octal(Int64(device.minor), width: 8) ?? [],
            prefix + [UInt8](repeating: 0, count: 167 - prefix.count),
        ]
        let block = Self.summed(fields.flatMap { $0 })
        if records.records.isEmpty { return block }
        return Self.extendedHeader(records, for: self.name) + block
    }

    private static func extendedHeader(_ records: PaxRecords, for name: [UInt8]) -> [UInt8] {
        let data = records.encoded()
        let own = Array("PaxHeaders/".utf8) + Array(lastPart(of: name).prefix(80))
        let empty = FileNode(.fifo, mode: 0o644)
        var header = TarHeaderWriter(path: ByteString(own), node: empty)
        header.type = UInt8(ascii: "x")
        return header.encoded(size: Int64(data.count)) + data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
    }

    private static func lastPart(of name: [UInt8]) -> [UInt8] { Array(name.split(separator: UInt8(ascii: "/")).last ?? []) }

    /// Into at most 155 and at most 100 bytes, at a slash.
    private static func split(_ name: [UInt8]) -> (prefix: [UInt8], name: [UInt8])? {
        guard name.count <= 256 else { return nil }
        // A folder's own slash at the end is no place to split.
        for index in name.indices.dropLast() where name[index] == UInt8(ascii: "/") && index > 0 && index <= 155 && name.count - index - 1 <= 100 {
            return (Array(name[..<index]), Array(name[(index + 1)...]))
        }
        return nil
    }

    private static func summed(_ block: [UInt8]) -> [UInt8] {
        var block = block
        let digits = Array(String(TarHeader.sum(block), radix: 8).utf8)
        block.replaceSubrange(148..<156, with: [UInt8](repeating: 48, count: 6 - digits.count) + digits + [0, 32])
        return block
    }
}
