import CCurl
import Glibc

/// libcurl, opened when it is first needed: loading it and what it needs takes longer than most commands do.
struct CurlLibrary: @unchecked Sendable {
    typealias Handle = UnsafeMutableRawPointer
    typealias List = UnsafeMutablePointer<curl_slist>

    let makeHandle: @convention(c) () -> Handle?
    let freeHandle: @convention(c) (Handle) -> Void
    let reset: @convention(c) (Handle) -> Void
    let perform: @convention(c) (Handle) -> CURLcode
    let describe: @convention(c) (CURLcode) -> UnsafePointer<CChar>?
    let append: @convention(c) (List?, UnsafePointer<CChar>) -> List?
    let freeList: @convention(c) (List?) -> Void
    /// For the calls of CCurl.
    let setopt: UnsafeMutableRawPointer

    private static let opened = Result { try CurlLibrary() }

    static var shared: CurlLibrary { get throws { try opened.get() } }

    private init() throws {
        guard let library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL) else {
            throw RemoteError(
                "missing", "libcurl cannot be loaded, and registries are reached through it", cause: dlerror().map { String(cString: $0) },
                fix: "install it: `apt-get install libcurl4`")
        }
        func find(_ name: String) throws -> UnsafeMutableRawPointer {
            guard let found = dlsym(library, name) else { throw RemoteError("missing", "libcurl has no `\(name)`", fix: "install libcurl 7.85 or newer") }
            return found
        }
        makeHandle = unsafeBitCast(try find("curl_easy_init"), to: (@convention(c) () -> Handle?).self)
        freeHandle = unsafeBitCast(try find("curl_easy_cleanup"), to: (@convention(c) (Handle) -> Void).self)
        reset = unsafeBitCast(try find("curl_easy_reset"), to: (@convention(c) (Handle) -> Void).self)
        perform = unsafeBitCast(try find("curl_easy_perform"), to: (@convention(c) (Handle) -> CURLcode).self)
        describe = unsafeBitCast(try find("curl_easy_strerror"), to: (@convention(c) (CURLcode) -> UnsafePointer<CChar>?).self)
        append = unsafeBitCast(try find("curl_slist_append"), to: (@convention(c) (List?, UnsafePointer<CChar>) -> List?).self)
        freeList = unsafeBitCast(try find("curl_slist_free_all"), to: (@convention(c) (List?) -> Void).self)
        setopt = try find("curl_easy_setopt")
        let start = unsafeBitCast(try find("curl_global_init"), to: (@convention(c) (Int) -> CURLcode).self)
        guard start(3) == CURLE_OK else { throw RemoteError("internal", "libcurl cannot be started") }  // CURL_GLOBAL_ALL
    }
}
