import ChunkStore
import Foundation
import Linux

/// What running machines of one repository lacked, and how it was mended: so that what two agents report is mended once, and proven once.
///
/// A file below TERRINE_HOME. Whoever changes it holds its lock.
struct LiveLedger {
    struct Entry: Codable, Equatable {
        enum State: String, Codable {
            /// In machines; the recipe does not say it yet.
            case pending
            /// The recipe says it, and was built with it from clean.
            case proven
            /// In machines, and no recipe could be proven with it.
            case refuted
        }

        let remedy: Remedy
        /// Exits 0 in a machine that has what was missing; nil where nothing short tells.
        let probe: String?
        var state = State.pending
        /// By name.
        var machines: [String]
        /// What the proof said.
        var note: String?
    }

    let folder: String
    private(set) var entries: [Entry] = []

    private var file: String { folder + "/ledger.json" }

    /// - Parameter repository: its folder, absolute; what machines of no repository lack is told apart by machine.
    init(home: String, repository: String) throws {
        let digest = Digest.of(Array(repository.utf8)).description.dropFirst("sha256:".count).prefix(16)
        folder = "\(home)/autoinstall/\(digest)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try reload()
    }

    /// Waits for whoever mends a machine of this repository now.
    func lock() throws -> FileLock { try FileLock(folder + "/lock") }

    var proofLog: String { folder + "/proof.log" }

    /// Held by the one process that proves what is pending.
    func proofLock() throws -> FileLock { try FileLock(folder + "/proof.lock") }

    mutating func reload() throws {
        guard let bytes = FileManager.default.contents(atPath: file) else { return }
        do { entries = try JSONDecoder().decode([Entry].self, from: bytes) } catch {
            throw AutoinstallError("damaged", "\(file) cannot be read", cause: "\(error)", fix: "remove it: what it knows is found again")
        }
    }

    func entry(for lack: Lack) -> Entry? { entries.first { Healer.LackKey($0.remedy.lack) == Healer.LackKey(lack) } }

    mutating func add(_ entry: Entry) throws {
        entries.removeAll { Healer.LackKey($0.remedy.lack) == Healer.LackKey(entry.remedy.lack) }
        entries.append(entry)
        try save()
    }

    mutating func change(_ lack: Lack, _ body: (inout Entry) -> Void) throws {
        guard let index = entries.firstIndex(where: { Healer.LackKey($0.remedy.lack) == Healer.LackKey(lack) }) else { return }
        body(&entries[index])
        try save()
    }

    private func save() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try replaceFile(file, with: Array(try encoder.encode(entries)))
    }
}
