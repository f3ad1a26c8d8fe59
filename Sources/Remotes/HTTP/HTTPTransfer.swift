import CCurl
import Foundation
import Glibc

/// One handle of libcurl, which keeps its connections between requests. One thread uses it at a time.
///
/// Unchecked: ``HTTPClient`` lends it to one thread.
final class HTTPTransfer: @unchecked Sendable {
    private let curl: CurlLibrary
    private let handle: CurlLibrary.Handle

    init() throws {
        curl = try CurlLibrary.shared
        guard let made = curl.makeHandle() else { throw RemoteError("noMemory", "there is no memory for a transfer") }
        handle = made
    }

    deinit { curl.freeHandle(handle) }

    /// What the callbacks of one request share.
    private final class State {
        var response = HTTPResponse()
        let body: (any HTTPBody)?
        var sent: Int64 = 0
        let progress: (Int) -> Void
        let receive: (HTTPResponse, UnsafeRawBufferPointer) throws -> Void
        var error: (any Error)?

        init(
            _ body: (any HTTPBody)?, _ progress: @escaping (Int) -> Void, _ receive: @escaping (HTTPResponse, UnsafeRawBufferPointer) throws -> Void
        ) { (self.body, self.progress, self.receive) = (body, progress, receive) }

        func header(_ line: String) {
            if line.hasPrefix("HTTP/") {
                // A new answer: one after `100 Continue`, or after that of a proxy.
                response = HTTPResponse()
                response.status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                return
            }
            guard let colon = line.firstIndex(of: ":") else { return }
            let name = line[..<colon].lowercased()
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespacesAndNewlines)
            response.headers[name] = response.headers[name].map { $0 + ", " + value } ?? value
        }
    }

    /// Sends one request and waits for its answer. Redirects are the caller's to follow.
    ///
    /// - Parameters:
    ///   - progress: told the bytes of the body that were handed over; negative when some are sent again.
    ///   - receive: gets the answer's body piece by piece; with what it throws the transfer ends.
    func perform(
        _ request: HTTPRequest, progress: (Int) -> Void, receive: (HTTPResponse, UnsafeRawBufferPointer) throws -> Void
    ) throws -> HTTPResponse {
        try withoutActuallyEscaping(progress) { progress in
            try withoutActuallyEscaping(receive) { receive in
                let state = State(request.body, progress, receive)
                return try run(request, state)
            }
        }
    }

    private func run(_ request: HTTPRequest, _ state: State) throws -> HTTPResponse {
        curl.reset(handle)
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_USERAGENT, "terrine")
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_CONNECTTIMEOUT, request.connectTimeout)
        set(CURLOPT_LOW_SPEED_LIMIT, 1)
        set(CURLOPT_LOW_SPEED_TIME, request.idleTimeout)
        if let timeout = request.timeout { set(CURLOPT_TIMEOUT, timeout) }
        // libcurl's program reads these, the library does not.
        let environment = ProcessInfo.processInfo.environment
        for name in ["CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            if let file = environment[name], !file.isEmpty {
                set(CURLOPT_CAINFO, file)
                break
            }
        }
        switch request.method {
        case "GET": set(CURLOPT_HTTPGET, 1)
        case "HEAD": set(CURLOPT_NOBODY, 1)
        default:
            set(CURLOPT_UPLOAD, 1)
            set(CURLOPT_CUSTOMREQUEST, request.method)
            _ = ccurl_set_offset(curl.setopt, handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(request.body?.count ?? 0))
        }
        var list: CurlLibrary.List?
        // No waiting for a `100 Continue` that few registries send.
        for header in request.headers + [("Expect", "")] { list = curl.append(list, "\(header.name): \(header.value)") ?? list }
        defer { curl.freeList(list) }
        _ = ccurl_set_pointer(curl.setopt, handle, CURLOPT_HTTPHEADER, list)

        let context = Unmanaged.passUnretained(state).toOpaque()
        for option in [CURLOPT_HEADERDATA, CURLOPT_WRITEDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA] {
            _ = ccurl_set_pointer(curl.setopt, handle, option, context)
        }
        _ = ccurl_set_data(curl.setopt, handle, CURLOPT_HEADERFUNCTION) { bytes, one, count, context in
            guard let bytes, let context else { return 0 }
            let line = UnsafeRawBufferPointer(start: bytes, count: one * count)
            Unmanaged<State>.fromOpaque(context).takeUnretainedValue().header(String(decoding: line, as: UTF8.self))
            return one * count
        }
        _ = ccurl_set_data(curl.setopt, handle, CURLOPT_WRITEFUNCTION) { bytes, one, count, context in
            guard let bytes, let context else { return 0 }
            let state = Unmanaged<State>.fromOpaque(context).takeUnretainedValue()
            do { try state.receive(state.response, UnsafeRawBufferPointer(start: bytes, count: one * count)) } catch {
                state.error = error
                return 0
            }
            return one * count
        }
        _ = ccurl_set_data(curl.setopt, handle, CURLOPT_READFUNCTION) { bytes, one, count, context in
            guard let bytes, let context else { return Int(CURL_READFUNC_ABORT) }
            let state = Unmanaged<State>.fromOpaque(context).takeUnretainedValue()
            guard let body = state.body else { return 0 }
            do {
                let room = UnsafeMutableRawBufferPointer(start: bytes, count: min(one * count, Int(body.count - state.sent)))
                let count = room.isEmpty ? 0 : try body.read(into: room, at: state.sent)
                state.sent += Int64(count)
                state.progress(count)
                return count
            } catch {
                state.error = error
                return Int(CURL_READFUNC_ABORT)
            }
        }
        // A connection that had been closed is found when the body has begun.
        _ = ccurl_set_seek(curl.setopt, handle, CURLOPT_SEEKFUNCTION) { context, offset, origin in
            guard let context, origin == SEEK_SET else { return CURL_SEEKFUNC_CANTSEEK }
            let state = Unmanaged<State>.fromOpaque(context).takeUnretainedValue()
            state.progress(Int(Int64(offset) - state.sent))
            state.sent = Int64(offset)
            return CURL_SEEKFUNC_OK
        }

        let code = withExtendedLifetime(state) { curl.perform(handle) }
        if let error = state.error { throw error }
        if code != CURLE_OK { throw failure(code) }
        return state.response
    }

    private func failure(_ code: CURLcode) -> TransferFailure {
        let tls: Set<UInt32> = [
            CURLE_PEER_FAILED_VERIFICATION.rawValue, CURLE_SSL_CACERT_BADFILE.rawValue, CURLE_SSL_CONNECT_ERROR.rawValue, CURLE_SSL_CERTPROBLEM.rawValue,
        ]
        let final = tls.union([CURLE_UNSUPPORTED_PROTOCOL.rawValue, CURLE_URL_MALFORMAT.rawValue])
        return TransferFailure(
            code: code.rawValue, cause: curl.describe(code).map { String(cString: $0) } ?? "libcurl's error \(code.rawValue)",
            isTransient: !final.contains(code.rawValue), isTLS: tls.contains(code.rawValue))
    }

    private func set(_ option: CURLoption, _ value: String) { _ = ccurl_set_text(curl.setopt, handle, option, value) }
    private func set(_ option: CURLoption, _ value: Int) { _ = ccurl_set_long(curl.setopt, handle, option, value) }
}
