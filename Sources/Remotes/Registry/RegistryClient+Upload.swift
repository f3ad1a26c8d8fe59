import ChunkStore
import Foundation
import Linux

/// A blob that can be sent.
protocol OutgoingBlob: HTTPBody {
    var digest: Digest { get }
}

struct BytesBlob: OutgoingBlob {
    let body: BytesBody
    let digest: Digest
    var count: Int64 { body.count }

    init(_ bytes: [UInt8]) { (body, digest) = (BytesBody(bytes: bytes), Digest.of(bytes)) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int { try body.read(into: buffer, at: offset) }
}

extension RegistryClient {
    /// Bytes of a blob that go in one request.
    static let pieceBytes: Int64 = 4 << 20

    /// Sends a blob. Where a connection was cut, and where another process was killed, it goes on with what the registry has not.
    ///
    /// - Parameters:
    ///   - source: another repository of the registry that has the blob: nothing is sent then.
    ///   - sessions: remembers how far uploads have come.
    ///   - progress: told the bytes that were sent; negative when they turn out not to have arrived.
    /// - Returns: the bytes that were sent.
    @discardableResult
    func upload(
        _ blob: any OutgoingBlob, mountingFrom source: String? = nil, _ sessions: UploadSessions? = nil, progress: (Int64) -> Void = { _ in }
    ) throws -> Int64 {
        let session = try sessions?.open(blob.digest)
        var place: (url: String, offset: Int64)?
        if let known = session?.location { place = try status(of: known, blob.count) }
        var sent: Int64 = 0
        if let place { progress(place.offset) }
        var source = source
        for attempt in 1... {
            do {
                if place == nil {
                    guard let begun = try begin(blob, mountingFrom: source) else {
                        progress(blob.count)
                        session?.end()
                        return sent
                    }
                    place = (begun, 0)
                    source = nil
                }
                if try send(blob, from: &place, session, &sent, progress) {
                    session?.end()
                    return sent
                }
            } catch let failure as TransferFailure {
                guard failure.isTransient, retry.wait(attempt) else { throw explain(failure) }
                place = try resume(place, blob.count, progress)
                // It may all have arrived, and only the answer not.
                if place == nil, try has(blob.digest) {
                    progress(blob.count)
                    session?.end()
                    return sent
                }
                continue
            }
            // The session was lost, or is not what it should be.
            place.map { progress(-$0.offset) }
            place = nil
            session?.end()
            guard retry.wait(attempt) else { break }
        }
        throw RemoteError(
            "registry", "\(name.host) does not take the blob \(blob.digest) of \(name.repositoryName)", cause: "it was begun \(retry.attempts) times",
            fix: "do the same again later: it goes on where it stopped")
    }

    /// Lets the registry take a blob from another of its repositories.
    ///
    /// - Returns: whether it did.
    func mount(_ blob: Digest, from source: String) throws -> Bool {
        includeScope(source)
        let place = url("blobs/uploads/?mount=\(blob)&from=\(source)")
        let response = try send(HTTPRequest("POST", place))
        if response.status == 201 { return true }
        // An upload that nobody goes on with: it says that it has begun one.
        if response.status == 202, let location = response.headers["location"] {
            _ = try send(HTTPRequest("DELETE", resolve(location, from: place)), retries: false)
        }
        return false
    }

    /// - Returns: where to send it; nil when the registry has it now.
    private func begin(_ blob: any OutgoingBlob, mountingFrom source: String?) throws -> String? {
        if let source { includeScope(source) }
        let query = source.map { "?mount=\(blob.digest)&from=\($0)" } ?? ""
        let place = url("blobs/uploads/\(query)")
        let response = try send(HTTPRequest("POST", place))
        if response.status == 201, source != nil { return nil }
        guard response.status == 202, let location = response.headers["location"] else { throw refused(response, "write blobs of \(name.repositoryName)") }
        return resolve(location, from: place)
    }

    /// Sends what is missing, and says what it was.
    ///
    /// - Returns: false when the session is of no use any more.
    private func send(
        _ blob: any OutgoingBlob, from place: inout (url: String, offset: Int64)?, _ session: UploadSessions.Session?, _ sent: inout Int64,
        _ progress: (Int64) -> Void
    ) throws -> Bool {
        guard var (url, offset) = place else { return false }
        var attempt = 1
        while offset < blob.count {
            let range = offset..<min(blob.count, offset + Self.pieceBytes)
            var request = HTTPRequest("PATCH", url)
            request.headers = [("Content-Type", "application/octet-stream"), ("Content-Range", "\(range.lowerBound)-\(range.upperBound - 1)")]
            request.body = PartBody(whole: blob, range: range)
            var moved: Int64 = 0
            let response: HTTPResponse
            do {
                response = try authorized(
                    request,
                    progress: {
                        moved += Int64($0)
                        progress(Int64($0))
                    })
            } catch {
                progress(-moved)
                sent += moved
                throw error
            }
            sent += moved
            if Retry.statuses.contains(response.status), retry.wait(attempt, asked: Retry.after(response.headers["retry-after"])) {
                progress(-moved)
                attempt += 1
                guard let now = try status(of: url, blob.count) else { return false }
                progress(now.offset - offset)
                (url, offset) = now
                place = now
                continue
            }
            if [404, 416].contains(response.status) {
                progress(-moved)
                return false
            }
            guard response.isSuccess, let location = response.headers["location"] else {
                progress(-moved)
                throw refused(response, "write blobs of \(name.repositoryName)")
            }
            (url, offset, attempt) = (resolve(location, from: url), range.upperBound, 1)
            place = (url, offset)
            try session?.note(url)
        }
        var request = HTTPRequest("PUT", url + (url.contains("?") ? "&" : "?") + "digest=\(blob.digest)")
        request.headers = [("Content-Type", "application/octet-stream")]
        let response = try send(request)
        if response.status == 201 || response.status == 204 { return true }
        // Some of it did not arrive as it was sent, or the session has gone: once more from the start.
        if [400, 404, 416].contains(response.status) { return false }
        throw refused(response, "write blobs of \(name.repositoryName)")
    }

    private func resume(_ place: (url: String, offset: Int64)?, _ count: Int64, _ progress: (Int64) -> Void) throws -> (url: String, offset: Int64)? {
        guard let place else { return nil }
        let now = try status(of: place.url, count)
        progress((now?.offset ?? 0) - place.offset)
        return now
    }

    /// How far an upload has come; nil when the registry does not know it any more.
    private func status(of location: String, _ count: Int64) throws -> (url: String, offset: Int64)? {
        let response = try send(HTTPRequest("GET", location))
        guard response.status == 204, let range = response.headers["range"], let last = range.split(separator: "-").last.flatMap({ Int64($0) }) else {
            return nil
        }
        // `0-0` is also said of an upload that has nothing yet.
        let offset = last == 0 ? 0 : last + 1
        guard offset <= count else { return nil }
        return (response.headers["location"].map { resolve($0, from: location) } ?? location, offset)
    }
}
