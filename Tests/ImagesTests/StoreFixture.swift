import ChunkStore
import Foundation
import Glibc
import Linux

@testable import Images

/// A home that goes with the test.
final class ScratchHome: Sendable {
    let path: String
    var store: String { path + "/store" }
    init() throws {
        path = NSTemporaryDirectory() + "terrine-images-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A process of its own would see no more: nothing that an earlier one holds.
    func open() throws -> ImageStore { try ImageStore(home: path) }

    func files(_ folder: String) throws -> Set<String> { Set(try FileManager.default.contentsOfDirectory(atPath: store + "/" + folder)) }

    /// Bytes of all blobs.
    func blobBytes() throws -> Int {
        try files("blobs/sha256").reduce(0) { sum, name in
            sum + (try FileManager.default.attributesOfItem(atPath: store + "/blobs/sha256/" + name)[.size] as! Int)
        }
    }
}

extension ImageStore {
    /// An image of a disk of 4 MiB, if nothing else is said, with these chunks over its parent's; nil: zeroes.
    @discardableResult
    func make(_ chunks: [UInt64: [UInt8]?], over parent: Image? = nil, bytes: Int64 = 4 << 20, step: String? = nil, cacheKey: String? = nil) throws -> Image {
        let draft = ImageDraft(
            parent: parent, virtualBytes: bytes, environment: ["PATH": "/bin", "A": "b=c"], machine: MachineDefaults(), step: step, cacheKey: cacheKey)
        return try write(draft, level: 1) { writer in
            for (index, bytes) in chunks.sorted(by: { $0.key < $1.key }) {
                if let bytes { try bytes.withUnsafeBytes { try writer.add(index, $0) } } else { try writer.add(index, nil) }
            }
        }
    }

    func bytes(of image: Image, _ index: UInt64, _ count: Int = 65536) throws -> [UInt8] {
        try reader(of: image).bytes(index, count)
    }
}

extension ImageReader {
    func bytes(_ index: UInt64, _ count: Int = 65536) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: count)
        try bytes.withUnsafeMutableBytes { try read(index, into: $0, at: 0) }
        return bytes
    }
}
