import Foundation
import Glibc
import Linux
import Testing
import Trees

@testable import Archives

/// A folder for one test, removed at its end.
func withFolder(_ body: (String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "terrine-archives-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
}

/// Runs a script of the shell, which must succeed.
@discardableResult
func shell(_ script: String, in folder: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    var command = Command("bash", ["-euo", "pipefail", "-c", script])
    command.workingFolder = folder
    let result = try command.capture()
    try #require(result.status == .exited(0), "\(result.errors)\(result.output)", sourceLocation: sourceLocation)
    return result.output
}

/// Everything of a tree, a line a file: equal lines are equal trees.
func describe(_ tree: FileTree) throws -> [String] {
    var groups: [ObjectIdentifier: Int] = [:]
    let linked = tree.linkCounts()
    var lines: [String] = []
    try tree.walk { path, node in
        let kind =
            switch node.kind {
            case .folder: "folder"
            case .file(let content): "file \(content.size) \(try digest(content))"
            case .symlink(let target): "-> \(target)"
            case .characterDevice(let number): "character \(number.major):\(number.minor)"
            case .blockDevice(let number): "block \(number.major):\(number.minor)"
            case .fifo: "fifo"
            case .socket: "socket"
            }
        let attributes = node.attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.map { String($0) }.joined(separator: ","))" }
        var group = ""
        if linked[ObjectIdentifier(node)] != nil {
            let number = groups[ObjectIdentifier(node)] ?? groups.count
            groups[ObjectIdentifier(node)] = number
            group = " link\(number)"
        }
        lines.append(
            "\(path) \(kind) \(String(node.mode, radix: 8)) \(node.user):\(node.group) \(node.modified.seconds).\(node.modified.nanoseconds) \(attributes)\(group)"
        )
    }
    return lines
}

private func digest(_ content: any FileContent) throws -> String {
    let sink = DigestSink(Nowhere())
    var offset: Int64 = 0
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
    defer { buffer.deallocate() }
    while offset < content.size {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(65536, content.size - offset))])
        try content.read(into: part, at: offset)
        try sink.write(UnsafeRawBufferPointer(part))
        offset += Int64(part.count)
    }
    return sink.digest.hex
}

private final class Nowhere: ByteSink {
    func write(_ bytes: UnsafeRawBufferPointer) {}
    func finish() {}
}

/// Bytes as an archive at rest.
func span(_ bytes: [UInt8]) throws -> FileSpan {
    let file = try UnnamedFiles(folder: NSTemporaryDirectory()).make()
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    return try FileSpan(file)
}

/// What a plain archive, or layers one over the other, make.
func tree(_ archives: [UInt8]..., whiteouts: Bool = false, limits: ArchiveLimits = ArchiveLimits()) throws -> FileTree {
    let stack = LayerStack(limits: limits)
    let allowance = ArchiveAllowance(limits)
    for bytes in archives { try stack.apply(TarReader(span(bytes), archive: "test.tar", allowance: allowance), archive: "test.tar", whiteouts: whiteouts) }
    return stack.tree
}

func read(_ path: String) throws -> FileTree {
    let result = try ArchiveReader(path, files: UnnamedFiles(folder: NSTemporaryDirectory())).read()
    guard case .tree(let tree, _) = result.content else { throw ArchiveError("test", "\(path) holds no tree") }
    return tree
}

func written(_ tree: FileTree) throws -> [UInt8] {
    let file = try UnnamedFiles(folder: NSTemporaryDirectory()).make()
    var writer = TarWriter(FileSink(file))
    try writer.write(tree)
    let all = try FileSpan(file)
    return try all.bytes(at: 0, Int(all.size))
}

/// Entries one after the other.
func joined(_ entries: [UInt8]...) -> [UInt8] { Array(entries.joined()) }

/// Archives made by hand, byte by byte, for what no program makes.
struct RawTar {
    var bytes: [UInt8] = []

    static let end = [UInt8](repeating: 0, count: 1024)

    /// - Parameters:
    ///   - size: the field as it is written; the data's when nil.
    ///   - sum: a wrong checksum.
    static func entry(
        _ name: String, _ type: Character = "0", link: String = "", data: [UInt8] = [], size: String? = nil, mode: String = "0000644", sum: String? = nil,
        uid: String = "0000000", device: (String, String) = ("0000000", "0000000")
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: some Collection<UInt8>, _ at: Int) { block.replaceSubrange(at..<(at + text.count), with: text) }
        put(Array(name.utf8.prefix(100)), 0)
        put(Array(mode.utf8), 100)
        put(Array(uid.utf8), 108)
        put(Array("0000000".utf8), 116)
        let octal = String(data.count, radix: 8)
        put(Array((size ?? String(repeating: "0", count: 11 - octal.count) + octal).utf8.prefix(12)), 124)
        put(Array("00000000001".utf8), 136)
        put([UInt8](repeating: 32, count: 8), 148)
        block[156] = type.asciiValue ?? 0
        put(Array(link.utf8.prefix(100)), 157)
        put(Array("ustar\u{0}00".utf8), 257)
        put(Array(device.0.utf8), 329)
        put(Array(device.1.utf8), 337)
        put(Array((sum ?? String(TarHeader.sum(block), radix: 8)).utf8) + [0], 148)
        return block + data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
    }

    static func paxBytes(_ records: [(String, [UInt8])]) -> [UInt8] {
        var pax = PaxRecords()
        for (key, value) in records { pax.append(key, value) }
        return entry("pax", "x", data: pax.encoded())
    }

    static func pax(_ records: [(String, String)]) -> [UInt8] { paxBytes(records.map { ($0.0, Array($0.1.utf8)) }) }
}
