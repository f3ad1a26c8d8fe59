import Glibc

/// A failed system call: which, on what, and the kernel's reason.
public struct LinuxError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call, such as `open`.
    public let call: String
    /// What it was applied to, usually a path.
    public let subject: String
    /// The kernel's `errno`.
    public let code: Int32

    public init(_ call: String, _ subject: String, code: Int32 = Glibc.errno) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    public var description: String { "cannot \(call) \(subject): \(String(cString: strerror(code)))" }
}

/// Runs a system call again while it is interrupted, and throws what it failed with.
@discardableResult
public func check<T: BinaryInteger>(_ call: String, _ subject: String = "", _ body: () -> T) throws(LinuxError) -> T {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = Glibc.errno
        if code != EINTR { throw LinuxError(call, subject, code: code) }
    }
}
