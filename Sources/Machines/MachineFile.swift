import Foundation
import Glibc
import Images
import Linux

/// A machine as it is kept in `machines/NAME/machine.json`: what it was asked to be, its disk, and how far it has come.
///
/// This file is the truth about a machine; whoever has it can rebuild every root of its disk.
struct MachineFile: Codable, Sendable, Equatable {
    enum State: String, Codable, Sendable {
        /// Made, its keeper not ready yet.
        case created
        case running
        case stopped
        case hibernated
        /// Its disk is sealed after a build step: only to be committed or removed.
        case sealed
    }

    static let currentVersion = 1

    var version = MachineFile.currentVersion
    var name: String
    /// 16 hex digits, never used again: names cgroup, network and container.
    var id: String
    /// Seconds since 1970.
    var created: Double
    var state: State

    /// The image's digest, `sha256:…`.
    var image: String
    /// How the image was named.
    var imageReference: String
    /// Sealed overlays over the image, oldest first.
    var sealed: [String]
    /// The writable overlay.
    var top: String
    /// Those of `sealed` that it was born with, oldest first: a rollback goes back to them. A checkpoint empties it.
    var origin: [String]
    /// Bytes.
    var diskSize: Int64

    var settings: Settings
    var keeper: ProcessIdentity?
    var supervisor: ProcessIdentity?
    /// A transient machine goes when this process does.
    var owner: ProcessIdentity?
    /// The machine that it was forked from.
    var parent: String?
    /// Why it stopped by itself, when it did.
    var lastError: String?
    /// Seconds since 1970 after which `gc` removes it, even while it runs; nil: never.
    var expires: Double?

    /// What processes in it get, and what it may use.
    struct Settings: Codable, Sendable, Equatable {
        var environment: [String: String] = [:]
        var user = "root"
        var workingFolder = "/"
        var cpus: Double?
        /// Bytes.
        var memory: Int64?
        var pids: Int?
        var network = NetworkChoice.open(allow: [])
        var ports: [MachineDefaults.Port] = []
        var binds: [Bind] = []
        var services: [MachineDefaults.Service] = []
        var runtime = "runc"
        /// Nil: no.
        var trustsImage: Bool?
        /// Nil: the machine's name.
        var hostname: String?
        /// Whether it runs what its image has for a first start. Nil: no.
        var runsFirstStart: Bool?
    }
}

extension MachineFile {
    /// A file's mode that says that its content was never made durable: after the host died it may be anything.
    private static let volatileMode: mode_t = 0o400

    /// nil when there is none; also when the host died before the file of a machine that goes with its owner reached the disk: nobody can want that one.
    static func loadIfAny(_ path: String) throws -> MachineFile? {
        do { return try load(path) } catch let error as LinuxError where error.code == ENOENT { return nil } catch let error as MachineError
            where error.code == "corrupt"
        {
            var status = stat()
            if stat(path, &status) == 0, status.st_mode & 0o777 == volatileMode { return nil }
            throw error
        }
    }

    /// Whether there is a machine's file, be it one that cannot be read.
    static func isThere(_ path: String) -> Bool {
        do { return try loadIfAny(path) != nil } catch { return true }
    }

    static func load(_ path: String) throws -> MachineFile {
        let file: MachineFile
        do {
            file = try JSONDecoder().decode(MachineFile.self, from: Data(readFile(path)))
        } catch let error as DecodingError {
            throw MachineError(
                "corrupt", "\(path) is not a machine's file", cause: "\(error)", fix: "remove the machine's folder if nothing on its disk is needed")
        }
        guard file.version == currentVersion else {
            throw MachineError(
                "unsupported", "\(path) has version \(file.version); this terrine knows \(currentVersion)", fix: "use the terrine that made the machine")
        }
        return file
    }

    /// Durable when it returns, but for a machine that goes with its owner: nobody needs that after the host died.
    func save(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try replaceFile(path, with: Array(try encoder.encode(self)), mode: owner == nil ? 0o600 : Self.volatileMode, durable: owner == nil)
    }

    /// What the machine takes for its host's name.
    var hostname: String { settings.hostname ?? name }

    /// What the machine's life amounts to now: `running` is the keeper's word, so a machine whose keeper died is lost.
    var condition: Machine.State {
        switch state {
        case .created, .running:
            guard let keeper else { return state == .created ? .created : .lost }
            return keeper.isAlive ? (state == .created ? .created : .running) : .lost
        case .stopped: return .stopped
        case .hibernated: return .hibernated
        case .sealed: return .sealed
        }
    }

    /// All overlays of its disk, oldest first.
    var overlays: [String] { sealed + [top] }
}
