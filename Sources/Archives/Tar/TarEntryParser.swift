import Foundation
import Trees

/// Makes an entry of its header, of the headers ahead of it and of its data.
struct TarEntryParser {
    let header: TarHeader
    let block: [UInt8]
    let ahead: TarReader.Ahead
    let global: PaxRecords
    let limits: ArchiveLimits

    private typealias Fault = TarHeader.Fault

    /// Links, folders and devices have no data, whatever their header says of their size.
    private var hasData: Bool { [0, UInt8(ascii: "0"), UInt8(ascii: "7"), UInt8(ascii: "S"), UInt8(ascii: "D")].contains(header.type) }

    /// Bytes of data behind the header.
    func storedSize() throws -> Int64 {
        let size = try ahead.records.number("size") ?? header.size
        if size < 0 { throw Fault(text: "its size is negative") }
        return hasData ? size : 0
    }

    func entry(data: FileSpan, oldMap: SparseMap?, offset: Int64) throws -> TarEntry {
        let records = ahead.records
        let path = try text(records["GNU.sparse.name"] ?? records["path"] ?? ahead.longName ?? header.name, "name")
        let time =
            try records["mtime"].map {
                guard let time = PaxTime.parse($0) else { throw Fault(text: "its time is no number") }
                return time
            } ?? PaxTime.nearest(header.modified)
        return TarEntry(
            path: path, kind: try kind(path, data, oldMap), mode: UInt16(truncatingIfNeeded: header.mode & 0o7777), user: try id("uid", header.user),
            group: try id("gid", header.group), modified: time, attributes: try attributes(), offset: offset)
    }

    private func kind(_ path: ByteString, _ data: FileSpan, _ oldMap: SparseMap?) throws -> TarEntry.Kind {
        switch header.type {
        case 0 where path.bytes.last == UInt8(ascii: "/"), UInt8(ascii: "0") where path.bytes.last == UInt8(ascii: "/"), UInt8(ascii: "5"), UInt8(ascii: "D"):
            return .folder
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"), UInt8(ascii: "S"):
            let content = try content(data, oldMap)
            guard content.size <= limits.fileBytes else {
                throw Fault(text: "a file of \(content.size) bytes is more than any file system of an image can hold")
            }
            return .file(content)
        case UInt8(ascii: "1"): return .hardLink(to: try target())
        case UInt8(ascii: "2"): return .symlink(to: try target())
        case UInt8(ascii: "3"): return .characterDevice(try device())
        case UInt8(ascii: "4"): return .blockDevice(try device())
        case UInt8(ascii: "6"): return .fifo
        case UInt8(ascii: "M"): throw Fault(text: "it goes on from another volume, which is not here")
        default: throw Fault(text: "its type \(header.type) is not known")
        }
    }

    private func content(_ data: FileSpan, _ oldMap: SparseMap?) throws -> TarContent {
        if let oldMap {
            guard let size = TarNumber.parse(block[483..<495]), size >= 0 else { throw Fault(text: "its size is no number") }
            return try oldMap.content(size: size, data: data)
        }
        let records = ahead.records
        if let major = try records.number("GNU.sparse.major") {
            guard major == 1, try records.number("GNU.sparse.minor") ?? 0 == 0, let size = try records.number("GNU.sparse.realsize") else {
                throw Fault(text: "its map of holes is of a version that is not known")
            }
            let (map, bytes) = try SparseMap.read(from: data)
            return try map.content(size: size, data: data.part(bytes, data.size - bytes))
        }
        if let size = try records.number("GNU.sparse.size") { return try SparseMap(records: records).content(size: size, data: data) }
        return TarContent(data)
    }

    private func target() throws -> ByteString { try text(ahead.records["linkpath"] ?? ahead.longLink ?? header.link, "target") }

    private func text(_ bytes: [UInt8], _ what: String) throws -> ByteString {
        guard !bytes.isEmpty else { throw Fault(text: "its \(what) is empty") }
        guard !bytes.contains(0) else { throw Fault(text: "its \(what) has a NUL in it") }
        guard bytes.count < limits.pathBytes else { throw Fault(text: "its \(what) has \(bytes.count) bytes; Linux takes fewer than \(limits.pathBytes)") }
        return ByteString(bytes)
    }

    private func id(_ key: String, _ value: Int64) throws -> UInt32 {
        let id = try ahead.records.number(key) ?? global.number(key) ?? value
        // The highest stands for "nobody said" in system calls.
        guard id >= 0, id < Int64(UInt32.max) else { throw Fault(text: "its \(key) is \(id), which Linux has not") }
        return UInt32(id)
    }

    private func device() throws -> DeviceNumber {
        guard (0..<(1 << 12)).contains(header.deviceMajor), (0..<(1 << 20)).contains(header.deviceMinor) else {
            throw Fault(text: "its device number \(header.deviceMajor):\(header.deviceMinor) is one that Linux has not")
        }
        return DeviceNumber(major: UInt32(header.deviceMajor), minor: UInt32(header.deviceMinor))
    }

    private static let namespaces = ["user.", "trusted.", "security.", "system.posix_acl_access", "system.posix_acl_default"]

    /// From `SCHILY.xattr.` (star, GNU tar, Go) and `LIBARCHIVE.xattr.`.
    private func attributes() throws -> [ByteString: [UInt8]] {
        var result: [ByteString: [UInt8]] = [:]
        for (key, value) in ahead.records.records {
            var (name, bytes): (String, [UInt8])
            if key.hasPrefix("SCHILY.xattr.") {
                (name, bytes) = (String(key.dropFirst("SCHILY.xattr.".count)), value)
            } else if key.hasPrefix("LIBARCHIVE.xattr.") {
                guard let plain = String(key.dropFirst("LIBARCHIVE.xattr.".count)).removingPercentEncoding, let data = Self.base64(value) else {
                    throw Fault(text: "its attribute `\(ByteString(key))` cannot be decoded")
                }
                (name, bytes) = (plain, data)
            } else {
                continue
            }
            guard Self.namespaces.contains(where: { name.hasPrefix($0) }), name.utf8.count <= 255, !name.utf8.contains(0) else {
                throw Fault(text: "its attribute `\(ByteString(name))` has a name that Linux does not take")
            }
            guard bytes.count <= 65536 else { throw Fault(text: "its attribute `\(ByteString(name))` has \(bytes.count) bytes; Linux takes 65536") }
            result[ByteString(name)] = bytes
        }
        return result
    }

    /// Often without the `=` at its end.
    private static func base64(_ text: [UInt8]) -> [UInt8]? {
        let full = text + Array(repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
        return Data(base64Encoded: Data(full)).map { Array($0) }
    }
}
