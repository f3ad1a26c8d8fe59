import Crypto
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A file of this host that a step depends on: what is put into the machine before the step runs.
public struct InputFile: Hashable, Sendable {
    /// Its name in keys and messages: from the workspace's root, or from the recipe's folder.
    public let path: String
    public let kind: WorkspaceFile.Kind
    public let mode: UInt32
    /// SHA-256 in hex: of the content, or of a link's target.
    public let digest: String
    /// On this host, absolute.
    public let source: String
    /// In the machine, absolute.
    public let target: String

    /// What counts of it in a key.
    var record: String { "\(kind.rawValue) \(String(mode, radix: 8)) \(digest) \(target)" }
}

/// Hashes files on all cores with plain threads: the calls block, and a tree may hold a hundred thousand of them.
enum InputHashing {
    struct Request: Sendable {
        let path: String
        let kind: WorkspaceFile.Kind
        let mode: UInt32
        let source: String
        let target: String
    }

    static func hash(_ requests: [Request]) throws -> [InputFile] {
        if requests.isEmpty { return [] }
        let threads = min(ProcessInfo.processInfo.activeProcessorCount, max(1, requests.count / 64))
        let next = Atomic<Int>(0)
        let done = Mutex<(files: [(Int, InputFile)], error: (any Error)?)>(([], nil))
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            var mine: [(Int, InputFile)] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 17)
            do {
                while true {
                    let start = next.wrappingAdd(32, ordering: .relaxed).oldValue
                    if start >= requests.count { break }
                    for index in start..<min(start + 32, requests.count) {
                        mine.append((index, try file(requests[index], &buffer)))
                    }
                }
                done.withLock { $0.files += mine }
            } catch {
                done.withLock { $0.error = $0.error ?? error }
            }
        }
        let result = done.withLock { $0 }
        if let error = result.error { throw error }
        return result.files.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private static func file(_ request: Request, _ buffer: inout [UInt8]) throws -> InputFile {
        let digest =
            request.kind == .link ? try linkDigest(request.source, &buffer) : try contentDigest(request.source, &buffer)
        return InputFile(
            path: request.path, kind: request.kind, mode: request.mode, digest: digest, source: request.source,
            target: request.target)
    }

    private static func linkDigest(_ path: String, _ buffer: inout [UInt8]) throws -> String {
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), bytes.count) } ?? -1
        }
        guard count >= 0 else { throw WorkspaceWalk.failure("read the link", path) }
        return hex(SHA256.hash(data: buffer[..<count]))
    }

    static func contentDigest(_ path: String, _ buffer: inout [UInt8]) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw WorkspaceWalk.failure("read", path) }
        defer { close(descriptor) }
        var hasher = SHA256()
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw WorkspaceWalk.failure("read", path) }
            if count == 0 { break }
            buffer.withUnsafeBytes { hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        return hex(hasher.finalize())
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var out: [UInt8] = []
        for byte in bytes {
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func hex(of text: String) -> String { hex(SHA256.hash(data: Array(text.utf8))) }
}
