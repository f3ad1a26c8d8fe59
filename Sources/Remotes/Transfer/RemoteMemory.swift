import ChunkStore
import Foundation
import Images
import Linux

/// Which packs each repository has for which layers, as far as this host has pushed or pulled them: a file each in `TERRINE_HOME/remotes`.
///
/// It spares sending, and nothing depends on it: what it says is asked of the registry before it counts.
struct RemoteMemory {
    private struct File: Codable {
        var remote: String
        /// By ``PackDescriptor/chains(_:)``.
        var layers: [String: [PackDescriptor]]
    }

    private let folder: String
    private let name: RemoteName

    init(home: String, _ name: RemoteName) throws {
        (folder, self.name) = (home + "/remotes", name)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    private func path(_ repository: String) -> String { "\(folder)/\(Digest.of(Array(repository.utf8)).hex).json" }

    private func read(_ path: String) -> File? {
        // What cannot be read is not remembered.
        FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(File.self, from: $0) }
    }

    var sessions: UploadSessions { get throws { try UploadSessions(folder: folder + "/uploads", repository: name.repositoryName) } }

    /// What this repository has.
    func own() -> [String: [PackDescriptor]] { read(path(name.repositoryName))?.layers ?? [:] }

    /// What other repositories of the same registry have.
    func others() -> [(repository: String, layers: [String: [PackDescriptor]])] {
        // No folder: nothing is remembered.
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.sorted().compactMap { file in
            guard file.hasSuffix(".json"), let known = read("\(folder)/\(file)"), known.remote != name.repositoryName,
                known.remote.hasPrefix(name.host + "/")
            else { return nil }
            return (String(known.remote.dropFirst(name.host.count + 1)), known.layers)
        }
    }

    func note(_ layers: [String: [PackDescriptor]]) throws {
        let lock = try FileLock(folder + "/lock")
        defer { withExtendedLifetime(lock) {} }
        var file = read(path(name.repositoryName)) ?? File(remote: name.repositoryName, layers: [:])
        file.layers.merge(layers) { $1 }
        try replaceFile(path(name.repositoryName), with: try ImageConfig.canonical(file), durable: false)
    }
}
