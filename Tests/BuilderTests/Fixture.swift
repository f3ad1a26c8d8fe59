import Foundation
import Glibc
import Linux
import Testing

@testable import Builder

/// A folder for one test, removed when it ends.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "terrine-builder-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String, executable: Bool = false) throws {
        let file = path + "/" + name
        try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        chmod(file, executable ? 0o755 : 0o644)
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }

    @discardableResult
    func sh(_ script: String) throws -> String {
        var command = Command("sh", ["-e", "-c", script])
        command.workingFolder = path
        let result = try command.capture()
        guard result.status == .exited(0) else { throw BuildError("test", "script failed: \(script)", cause: result.errors) }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Whether disks can be made here; where CI runs they must.
enum DiskTools {
    static var areThere: Bool {
        let all = ["mke2fs", "debugfs", "dumpe2fs", "e2fsck", "unshare", "tar"].allSatisfy { tool in
            ["/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"].contains { access($0 + tool, X_OK) == 0 }
        }
        return getuid() == 0 && all || ProcessInfo.processInfo.environment["CI"] != nil
    }
}
