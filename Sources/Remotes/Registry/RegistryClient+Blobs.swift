import ChunkStore
import Foundation

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
        let wanted = Int(range.upperBound - range.lowerBound)
        bytes.reserveCapacity(wanted)
        var attempt = 1
        while bytes.count < wanted {
            let (from, before) = (range.lowerBound + Int64(bytes.count), bytes.count)
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
                    let rest = piece[Int(passed)...].prefix(wanted - bytes.count)
                    bytes += rest
                    progress(rest.count)
                    if bytes.count == wanted { throw Enough() }
                }
                let response = try authorized(request, body: take)
                if Retry.statuses.contains(response.status) {
                    asked = Retry.after(response.headers["retry-after"])
                } else if !response.isSuccess {
                    throw refused(response, "read a blob of \(name.repositoryName)")
                }
                if !retry.wait(bytes.count > before ? 1 : attempt, asked: asked) {
                    if !response.isSuccess { throw refused(response, "read a blob of \(name.repositoryName)") }
                    throw corrupt(blob, "it ends after \(range.lowerBound + Int64(bytes.count)) of \(total) bytes")
                }
            } catch is Enough {
                break
            } catch let error as TransferFailure {
                failure = error
            }
            // What went forward is not a failure of the same.
            attempt = bytes.count > before ? 1 : attempt + 1
            if let failure, !failure.isTransient || !retry.wait(attempt) { throw explain(failure) }
        }
        return bytes
    }
}
