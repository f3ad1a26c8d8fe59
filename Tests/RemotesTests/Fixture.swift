import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import TestSupport

@testable import Remotes

/// A folder with homes in it, which goes with the test.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "terrine-remotes-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func store(_ name: String) throws -> ImageStore { try ImageStore(home: path + "/" + name) }

    func write(_ name: String, _ text: String) throws {
        let file = path + "/" + name
        try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
    }

    @discardableResult
    func sh(_ script: String) throws -> String {
        var command = Command("sh", ["-e", "-c", script])
        command.workingFolder = path
        let result = try command.capture()
        guard result.status == .exited(0) else { throw RemoteError("test", "script failed: \(script)", cause: result.errors + result.output) }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

extension ImageStore {
    /// An image of a 1 GiB disk with the chunks of these seeds, in order from the place `first` on.
    func make(_ seeds: Range<UInt64>, over parent: Image? = nil, at first: UInt64 = 0, key: String? = nil) throws -> Image {
        let draft = ImageDraft(
            parent: parent, virtualBytes: 1 << 30, environment: ["PATH": "/bin"], machine: MachineDefaults(), step: "made", cacheKey: key)
        return try write(draft, level: 1) { writer in
            for (place, seed) in seeds.enumerated() { try noise(seed).withUnsafeBytes { try writer.add(first + UInt64(place), $0) } }
        }
    }

    func bytes(of image: Image, _ index: UInt64) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let reader = try reader(of: image)
        try bytes.withUnsafeMutableBytes { try reader.read(index, into: $0, at: 0) }
        return bytes
    }
}

extension Remote {
    /// At a port of this host, over plain HTTP.
    static func local(_ port: UInt16, _ path: String, home: String) throws -> Remote {
        try Remote("127.0.0.1:\(port)/\(path)", home: home, plainHTTP: true, trusted: true)
    }
}

/// Retries without waiting long.
let quick = Retry(attempts: 6, first: 0.01, longest: 5)

func push(_ image: Image, _ store: ImageStore, _ port: UInt16, _ path: String) throws -> Push.Result {
    let remote = try Remote.local(port, path, home: store.home)
    return try Push(images: store, to: remote, client: remote.client(.push, retry: quick), progress: { _ in }).run(image)
}

func pull(_ store: ImageStore, _ port: UInt16, _ path: String, name: String = "pulled:1") throws -> Pull.Result {
    let remote = try Remote.local(port, path, home: store.home)
    return try Pull(images: store, from: remote, client: remote.client(.pull, retry: quick)).run(name: name)
}
