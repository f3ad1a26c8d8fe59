import Foundation

/// What a traced run looked for and never found, read from a record as strace(1) writes it.
///
/// Programs look in many places before they find a thing, so a path that is not there says nothing: what counts is a name that was found nowhere.
public struct TraceRecord: Sendable {
    /// The last place where each was looked for.
    public private(set) var missedFiles: [String] = []
    public private(set) var missedPrograms: [String] = []

    /// Longer records are cut: what a run began with is the least of its troubles.
    private static let limit = 64 << 20
    private static let nameLimit = 2000

    /// - Parameter text: lines such as `123 openat(AT_FDCWD, "/usr/include/x.h", O_RDONLY) = -1 ENOENT (No such file or directory)`, of several processes.
    public init(strace text: String) {
        var programs = Search()
        var files = Search()
        var unfinished: [Substring: Call] = [:]
        for line in text.utf8.suffix(Self.limit).split(separator: UInt8(ascii: "\n")) {
            let line = Substring(line)
            let process = line.drop { $0 == "[" || $0 == "p" || $0 == "i" || $0 == "d" || $0 == " " }.prefix { $0.isNumber }
            var call = Call(line)
            if line.hasSuffix("<unfinished ...>") {
                unfinished[process] = call
                continue
            }
            if call == nil, line.contains(" resumed>") {
                call = unfinished.removeValue(forKey: process)
                call?.finish(line)
            }
            guard let call, let isFound = call.isFound else { continue }
            Self.take(call, isFound, &programs, &files)
        }
        missedPrograms = programs.missed(Self.nameLimit).map { $0.split(separator: "/").last.map(String.init) ?? $0 }
        missedFiles = files.missed(Self.nameLimit)
    }

    private static func take(_ call: Call, _ isFound: Bool, _ programs: inout Search, _ files: inout Search) {
        guard call.path.hasPrefix("/"), let name = call.path.split(separator: "/").last.map(String.init) else { return }
        let folder = call.path.dropLast(name.utf8.count + 1)
        if folder.hasSuffix("/bin") || folder.hasSuffix("/sbin") || folder.hasSuffix("/games") {
            programs.note(name, call.path, isFound)
        } else if isFound {
            files.note(searchName(call.path, name), call.path, true)
        } else if isTelling(call.path, name) {
            files.note(searchName(call.path, name), call.path, false)
        }
    }

    /// Headers with the folder that `#include` may name, the rest by name alone.
    private static func searchName(_ path: String, _ name: String) -> String {
        guard path.contains("/include/") else { return name }
        let names = path.split(separator: "/").drop { $0 != "include" }.dropFirst()
        return names.suffix(2).count == 2 && !(names.first?.hasSuffix("-linux-gnu") == true && names.count == 2) ? names.suffix(2).joined(separator: "/") : name
    }

    private static let quiet = [
        "/proc/", "/sys/", "/dev/", "/tmp/", "/var/tmp/", "/root/.", "/home/", "/etc/ld.so", "/usr/share/locale", "/usr/lib/locale", "/run/", "/etc/nsswitch",
        "/usr/lib/ssl", "/etc/gcrypt", "/usr/share/terminfo", "/etc/terminfo", "/etc/gss",
    ]
    private static let quietParts = [
        "glibc-hwcaps", "/tls/", "__pycache__", ".pyc", "gconv-modules", "LC_MESSAGES", ".gch", ".dbg", "/.git", ".debug", "pyvenv.cfg", "._pth",
    ]
    private static let roots = ["/usr/", "/lib/", "/lib64/", "/etc/", "/opt/", "/var/lib/"]

    private static func isTelling(_ path: String, _ name: String) -> Bool {
        guard roots.contains(where: path.hasPrefix), !quiet.contains(where: path.hasPrefix), !quietParts.contains(where: path.contains) else { return false }
        if path.contains("/include/") || name.contains(".so") || name.hasSuffix(".pc") || name.hasSuffix(".pm") { return true }
        if name.hasSuffix("Config.cmake") || name.hasSuffix("-config.cmake") || path.hasPrefix("/usr/share/zoneinfo/") { return true }
        return path.hasPrefix("/etc/") || path.hasPrefix("/usr/share/")
    }

    /// Names that were looked for, in the order of the first time.
    private struct Search {
        private var order: [String] = []
        private var last: [String: String] = [:]
        private var found: Set<String> = []

        mutating func note(_ name: String, _ path: String, _ isFound: Bool) {
            if isFound {
                found.insert(name)
            } else if last.updateValue(path, forKey: name) == nil {
                order.append(name)
            }
        }

        func missed(_ limit: Int) -> [String] { order.filter { !found.contains($0) }.prefix(limit).compactMap { last[$0] } }
    }

    /// One system call with a path.
    private struct Call {
        let path: String
        /// Nil while it is not over, and for what failed otherwise.
        private(set) var isFound: Bool?

        private static let names = [
            "execve(", "execveat(", "openat(", "open(", "stat(", "newfstatat(", "fstatat64(", "access(", "faccessat(", "faccessat2(", "statx(", "lstat(",
        ]

        init?(_ line: Substring) {
            guard let open = line.firstIndex(of: "("), let start = line[open...].firstIndex(of: "\"") else { return nil }
            let name = line[..<open].split(separator: " ").last.map { $0 + "(" } ?? ""
            guard Self.names.contains(String(name)) else { return nil }
            let rest = line[line.index(after: start)...]
            guard let end = rest.firstIndex(of: "\"") else { return nil }
            path = String(rest[..<end])
            finish(line)
        }

        mutating func finish(_ line: Substring) {
            guard let equals = line.range(of: " = ", options: .backwards) else { return }
            let result = line[equals.upperBound...]
            if result.hasPrefix("-1") { isFound = result.contains("ENOENT") || result.contains("ENOTDIR") ? false : nil } else { isFound = true }
        }
    }
}
