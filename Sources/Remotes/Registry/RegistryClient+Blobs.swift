import ChunkStore
import Foundation
import Glibc
import Linux

import struct Crypto.SHA256

extension RegistryClient {
    func has(_ blob: Digest) throws -> Bool {
        let response = try send(HTTPRequest("HEAD", url("blobs/\(blob)")))
        if response.status == 404 { return false }
        guard response.isSuccess else { throw refused(response, "look for blobs of \(name.repositoryName)") }
        return true
    }

    /// A small blob, checked.
    func blob(_ digest: Digest, bytes: Int64, progress: @escaping (Int) -> Void = { _ in }) throws -> [UInt8] {
        for attempt in 1... {
            let got = try part(of: digest, 0..<bytes, of: bytes, progress: progress)
            if Digest.of(got) == digest { return got }
            progress(-got.count)
            if attempt == 3 { break }
        }
        throw corrupt(digest, "its bytes have another digest")
    }

    func corrupt(_ blob: Digest, _ cause: String) -> RemoteError {
        RemoteError("corrupt", "the blob \(blob) of \(name.repositoryName) is damaged", cause: cause, fix: "push the image anew; nothing of it was kept here")
    }

    /// Ends a transfer of which enough has come.
    private struct Enough: Error {}

    /// Bytes `range` of a blob of `total`; goes on where a connection was cut.
    func part(of blob: Digest, _ range: Range<Int64>, of total: Int64, progress: @escaping (Int) -> Void = { _ in }) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(range.upperBound - range.lowerBound))
        try read(blob, range, of: total, progress: progress) { bytes += $0 }
        return bytes
    }

    /// A blob of any size into a new file, checked.
    func save(_ blob: Digest, bytes total: Int64, to path: String, progress: @escaping (Int) -> Void = { _ in }) throws {
        for attempt in 1... {
            let file = try Descriptor(path, O_WRONLY | O_CREAT | O_TRUNC)
            var hasher = SHA256()
            var done: Int64 = 0
            try read(blob, 0..<total, of: total, progress: progress) { piece in
                hasher.update(bufferPointer: piece)
                try file.write(piece, at: done)
                done += Int64(piece.count)
            }
            if Digest(bytes: hasher.finalize()) == blob { return }
            progress(-Int(total))
            if attempt == 3 { break }
        }
        throw corrupt(blob, "its bytes have another digest")
    }

    /// Gives the bytes `range` of a blob of `total` to `sink`, piece by piece; goes on where a connection was cut.
    private func read(
        _ blob: Digest, _ range: Range<Int64>, of total: Int64, progress: @escaping (Int) -> Void, sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var done: Int64 = 0
        let wanted = range.upperBound - range.lowerBound
        var attempt = 1
        while done < wanted {
            let (from, before) = (range.lowerBound + done, done)
            var request = HTTPRequest("GET", url("blobs/\(blob)"))
            if from > 0 || range.upperBound < total { request.headers = [("Range", "bytes=\(from)-\(range.upperBound - 1)")] }
            // A registry without ranges sends all from the start: what comes before is passed over.
            var skip: Int64?
            var asked: Double?
            var failure: TransferFailure?
            do {
                func take(_ head: HTTPResponse, _ piece: UnsafeRawBufferPointer) throws {
                    var left = skip ?? (head.status == 206 ? 0 : from)
                    let passed = min(Int64(piece.count), left)
                    left -= passed
                    skip = left
                    let rest = UnsafeRawBufferPointer(rebasing: piece[Int(passed)...].prefix(Int(wanted - done)))
                    try sink(rest)
                    done += Int64(rest.count)
                    progress(rest.count)
                    if done == wanted { throw Enough() }
                }
                let response = try authorized(request, body: take)
                if Retry.statuses.contains(response.status) {
                    asked = Retry.after(response.headers["retry-after"])
                } else if !response.isSuccess {
                    throw refused(response, "read a blob of \(name.repositoryName)")
                }
                if !retry.wait(done > before ? 1 : attempt, asked: asked) {
                    if !response.isSuccess { throw refused(response, "read a blob of \(name.repositoryName)") }
                    throw corrupt(blob, "it ends after \(range.lowerBound + done) of \(total) bytes")
                }
            } catch is Enough {
                break
            } catch let error as TransferFailure {
                failure = error
            }
            // What went forward is not a failure of the same.
            attempt = done > before ? 1 : attempt + 1
            if let failure, !failure.isTransient || !retry.wait(attempt) { throw explain(failure) }
        }
    }
}
