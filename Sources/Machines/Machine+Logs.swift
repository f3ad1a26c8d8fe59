import Foundation
import Glibc
import Linux

extension Machine {
    /// Passes on what the machine's first process and its services have written, a name before each line where there is more than one writer.
    ///
    /// - Parameters:
    ///   - service: only this one's; all when nil.
    ///   - follows: goes on until the machine ends.
    public func logs(service: String? = nil, follows: Bool = false, _ body: (_ line: String) throws -> Void) throws {
        let names = try service.map { [$0] } ?? (file().settings.services.map(\.name) + ["console"])
        if let service, try !(file().settings.services.map(\.name) + ["console"]).contains(service) {
            throw MachineError(
                "notFound", "`\(name)` has no service `\(service)`", fix: "it has: \(try file().settings.services.map(\.name).joined(separator: ", "))")
        }
        var readers = names.map { LogReader(path: "\(paths.logs)/\($0).log", prefix: names.count > 1 && $0 != "console" ? "\($0): " : "") }
        while true {
            let ended = try !follows || fileIfAny()?.condition != .running
            for index in readers.indices { try readers[index].pass(body) }
            if ended {
                for index in readers.indices { try readers[index].finish(body) }
                return
            }
            usleep(100_000)
        }
    }

    /// Waits until it does not run any more.
    ///
    /// - Returns: false when it still runs after `timeout`.
    public func wait(timeout: Duration? = nil) throws -> Bool {
        guard let file = try fileIfAny(), let keeper = file.keeper, keeper.isAlive else { return true }
        return try Pidfd(of: keeper.pid).waitForEnd(milliseconds: timeout.map { Int32(clamping: Int($0 / .milliseconds(1))) } ?? -1)
    }
}

/// A growing file, line by line.
private struct LogReader {
    let path: String
    let prefix: String
    private var offset: Int64 = 0
    private var rest: [UInt8] = []

    init(path: String, prefix: String) { (self.path, self.prefix) = (path, prefix) }

    mutating func pass(_ body: (String) throws -> Void) throws {
        guard access(path, F_OK) == 0 else { return }
        let file = try Descriptor(path, O_RDONLY)
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            if count == 0 { return }
            offset += Int64(count)
            rest += buffer[..<count]
            while let end = rest.firstIndex(of: 0x0A) {
                try body(prefix + String(decoding: rest[..<end], as: UTF8.self))
                rest.removeSubrange(...end)
            }
        }
    }

    /// The last line, which has no end.
    mutating func finish(_ body: (String) throws -> Void) throws {
        if !rest.isEmpty { try body(prefix + String(decoding: rest, as: UTF8.self)) }
        rest = []
    }
}
