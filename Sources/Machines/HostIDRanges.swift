import Foundation
import Glibc
import Linux

/// Which of the host's user and group ids are whose machine's.
///
/// Each machine has 65,536 of its own while it runs, since keyrings, inotify watches and process limits count per id of the host. They lie above those that
/// `useradd` and systemd give away. Kept in `ids.json` of the home, under a lock.
enum HostIDRanges {
    static let count: UInt32 = 65536
    /// 0x7000_0000 to 0x7fff_ffff.
    static let first: UInt32 = 0x7000_0000
    private static let ranges: UInt32 = 4096

    /// The first id of the machine's range; the same again for a machine that has one.
    ///
    /// - Throws: ``MachineError`` `exhausted` when 4096 machines run.
    static func claim(machine: String, home: String) throws -> UInt32 {
        try change(home) { table in
            if let index = table[machine] { return first + index * count }
            let taken = Set(table.values)
            // Each home starts elsewhere, so that two homes on one host seldom share ids; if they do, they share limits and nothing else.
            let start = home.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } % ranges
            guard let index = (0..<ranges).lazy.map({ (start + $0) % ranges }).first(where: { !taken.contains($0) }) else {
                throw MachineError("exhausted", "\(ranges) machines run already", fix: "stop some with `terrine stop`")
            }
            table[machine] = index
            return first + index * count
        }
    }

    /// Gives the machine's range back, if it has one.
    static func release(machine: String, home: String) throws {
        try change(home) { $0[machine] = nil }
    }

    private static func change<T>(_ home: String, _ body: (inout [String: UInt32]) throws -> T) throws -> T {
        if access(home, F_OK) != 0 {
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        let path = home + "/ids.json"
        let lock = try FileLock(path + ".lock")
        defer { withExtendedLifetime(lock) {} }
        let old = try read(path)
        var table = old
        let result = try body(&table)
        if table != old {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            // Not durable on purpose: no machine outlives the host's death, so neither do claims; a torn file counts as empty.
            let temporary = "\(path).new"
            try Data(encoder.encode(table)).write(to: URL(fileURLWithPath: temporary))
            try check("rename to", path) { rename(temporary, path) }
        }
        return result
    }

    private static func read(_ path: String) throws -> [String: UInt32] {
        guard access(path, F_OK) == 0 else { return [:] }
        let bytes = Data(try readFile(path))
        // After the host died the file may be torn; the machines that it spoke of are gone.
        return (try? JSONDecoder().decode([String: UInt32].self, from: bytes)) ?? [:]
    }
}
