import Glibc

/// How much this program's processes tell beside results and errors; the command line's `--log-level`, which the processes that it starts inherit.
public enum LogLevel: String, CaseIterable, Comparable, Sendable {
    /// Errors only.
    case error
    /// And what is worth a look.
    case warning
    /// And what goes on, for people.
    case info
    /// And what takes how long.
    case debug

    public static let variable = "TERRINE_LOG_LEVEL"

    /// This process's.
    public static var current: LogLevel { getenv(variable).flatMap { LogLevel(rawValue: String(cString: $0)) } ?? .info }

    /// Makes this the level of this process and of those that it starts.
    public func use() { setenv(Self.variable, rawValue, 1) }

    public static func < (a: LogLevel, b: LogLevel) -> Bool { rank(a) < rank(b) }
    private static func rank(_ level: LogLevel) -> Int { allCases.firstIndex(of: level) ?? 0 }
}

/// Does `body` and, at the level `debug`, tells on the error stream how long it took.
public func timed<T>(_ what: @autoclosure () -> String, _ body: () throws -> T) rethrows -> T {
    guard LogLevel.current == .debug else { return try body() }
    let start = ContinuousClock.now
    defer {
        let (seconds, attoseconds) = start.duration(to: .now).components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        let line = "\(getpid()) \(what()): \(microseconds) us\n"
        // There is nowhere else to tell.
        _ = line.withCString { write(2, $0, strlen($0)) }
    }
    return try body()
}
