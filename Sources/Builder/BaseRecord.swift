import ChunkStore
import Foundation
import Glibc
import Linux

/// What a named base was last made from, or what a registry's image was: a file in `TERRINE_HOME/bases`, named by its definition's key.
struct BaseRecord: Codable, Sendable {
    var name: String
    var cacheKey: String
    /// Seconds since 1970.
    var built: Double
    /// SHA-256 of each package index.
    var indices: [String]
    /// Every package with version and hash, a line each, or the image with the digest of its manifest; nil in records of older versions.
    var packages: [String]?

    static func load(_ path: String) throws -> BaseRecord? {
        guard let bytes = FileManager.default.contents(atPath: path) else { return nil }
        do {
            return try JSONDecoder().decode(BaseRecord.self, from: bytes)
        } catch {
            throw BuildError("corrupt", "\(path) is not the record of a base", cause: "\(error)", fix: "remove it; the base is then built again")
        }
    }

    /// Durable when it returns.
    func save(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        try FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try replaceFile(path, with: Array(try encoder.encode(self)))
    }
}

enum HostArchitecture {
    /// As the kernel names it: `x86_64`, `aarch64`.
    static let current: String = {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()
}
