import Trees

/// Writes a tree as a tar archive: ustar, with PAX headers for what ustar cannot hold. The same tree gives the same bytes.
///
/// Files with holes are GNU sparse files, version 1.0, which GNU tar, libarchive and Go read.
public struct TarWriter {
    private let sink: any ByteSink
    /// Paths of sockets, which no tar archive can hold, and which mean nothing without who listens.
    public private(set) var leftOut: [ByteString] = []

    public init(_ sink: any ByteSink) { self.sink = sink }

    /// Everything in path order, the root first as `./`, and the end mark; the sink is finished too.
    public mutating func write(_ tree: FileTree) throws {
        var first: [ObjectIdentifier: ByteString] = [:]
        let linked = tree.linkCounts()
        try tree.walk { path, node in
            if case .socket = node.kind {
                leftOut.append(path)
                return
            }
            let identity = ObjectIdentifier(node)
            if let target = first[identity] {
                try write(path, node, linkTo: target)
            } else {
                if linked[identity] != nil { first[identity] = path }
                try write(path, node, linkTo: nil)
            }
        }
        try sink.write([UInt8](repeating: 0, count: 1024))
        try sink.finish()
    }

    private func write(_ path: ByteString, _ node: FileNode, linkTo: ByteString?) throws {
        var header = TarHeaderWriter(path: path, node: node)
        if let linkTo {
            header.type = UInt8(ascii: "1")
            header.link = linkTo.bytes
            try sink.write(header.encoded(size: 0))
            return
        }
        header.addAttributes(node.attributes)
        switch node.kind {
        case .folder:
            header.type = UInt8(ascii: "5")
            header.name = path.isEmpty ? Array("./".utf8) : path.bytes + [UInt8(ascii: "/")]
            try sink.write(header.encoded(size: 0))
        case .symlink(let target):
            header.type = UInt8(ascii: "2")
            header.link = target.bytes
            try sink.write(header.encoded(size: 0))
        case .characterDevice(let number):
            (header.type, header.device) = (UInt8(ascii: "3"), number)
            try sink.write(header.encoded(size: 0))
        case .blockDevice(let number):
            (header.type, header.device) = (UInt8(ascii: "4"), number)
            try sink.write(header.encoded(size: 0))
        case .fifo:
            header.type = UInt8(ascii: "6")
            try sink.write(header.encoded(size: 0))
        case .file(let content): try write(content, header)
        case .socket: break
        }
    }

    /// Holes that are worth a map of them, in bytes.
    private static let worthwhile: Int64 = 4096

    private func write(_ content: any FileContent, _ header: TarHeaderWriter) throws {
        var header = header
        var ranges = try content.dataRanges()
        let stored = ranges.reduce(0) { $0 + $1.upperBound - $1.lowerBound }
        var map: [UInt8] = []
        if content.size - stored >= Self.worthwhile, ranges.count < SparseMap.maximumPieces {
            var numbers = ranges.flatMap { [$0.lowerBound, $0.upperBound - $0.lowerBound] }
            // GNU tar ends a map so, when a hole is last.
            if ranges.last?.upperBound ?? 0 < content.size { numbers += [content.size, 0] }
            map = Array((["\(numbers.count / 2)"] + numbers.map { "\($0)" }).joined(separator: "\n").utf8) + [10]
            map += [UInt8](repeating: 0, count: (512 - map.count % 512) % 512)
            header.makeSparse(realSize: content.size)
        } else {
            ranges = content.size > 0 ? [0..<content.size] : []
        }
        let size = Int64(map.count) + ranges.reduce(0) { $0 + $1.upperBound - $1.lowerBound }
        try sink.write(header.encoded(size: size))
        if !map.isEmpty { try sink.write(map) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        for range in ranges {
            var offset = range.lowerBound
            while offset < range.upperBound {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(Int64(buffer.count), range.upperBound - offset))])
                try content.read(into: part, at: offset)
                try sink.write(UnsafeRawBufferPointer(part))
                offset += Int64(part.count)
            }
        }
        let rest = Int(size % 512)
        if rest > 0 { try sink.write([UInt8](repeating: 0, count: 512 - rest)) }
    }
}
