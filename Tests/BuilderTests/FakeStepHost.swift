import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import Synchronization

@testable import Builder

/// Machines that are folders of this host: real scripts, a real store, no isolation and no disk.
///
/// An image's one changing chunk is the listing of its folder, so equal trees are equal images, as with real disks.
final class FakeStepHost: StepHost {
    let images: ImageStore
    let folder: TestFolder
    private let trees = Mutex<[Digest: String]>([:])
    private let count = Atomic<Int>(0)

    /// How many machines there have been.
    var started: Int { count.load(ordering: .relaxed) }

    init(images: ImageStore, folder: TestFolder) { (self.images, self.folder) = (images, folder) }

    /// An image of an empty folder, as a recipe's base.
    func makeBase(_ reference: String) throws {
        let draft = ImageDraft(
            parent: nil, virtualBytes: 1 << 20, environment: ["PATH": "/usr/bin:/bin"], machine: MachineDefaults(), step: "base", cacheKey: nil)
        let image = try images.write(draft) { try Self.add("empty", to: $0) }
        let tree = folder.path + "/tree-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
        trees.withLock { $0[image.digest] = tree }
        try images.tag(reference, image)
    }

    func start(_ request: StepMachineRequest) throws -> any StepMachine {
        count.add(1, ordering: .relaxed)
        let tree = folder.path + "/tree-\(UUID().uuidString)"
        let parent = trees.withLock { $0[request.image.digest] } ?? ""
        try folder.sh("cp -a '\(parent)' '\(tree)'")
        return FakeStepMachine(host: self, tree: tree, image: request.image)
    }

    fileprivate func keep(_ tree: String, _ draft: ImageDraft, over parent: Image) throws -> (image: Image, bytes: Int64) {
        let list = "cd '\(tree)' && find . -printf '%P %y %m %l\\n' | sort && find . -type f -exec sha256sum {} + | sort"
        let before = try folder.sh(list.replacingOccurrences(of: tree, with: trees.withLock { $0[parent.digest] } ?? ""))
        let after = try folder.sh(list)
        let image = try images.write(draft) { if before != after { try Self.add(after, to: $0) } }
        trees.withLock { $0[image.digest] = tree }
        return (image, 65536)
    }

    private static func add(_ text: String, to layer: LayerWriter) throws {
        var bytes = [UInt8](repeating: 0, count: 65536)
        for (index, byte) in Digest.of(text: text).hex.utf8.enumerated() { bytes[index] = byte }
        try bytes.withUnsafeBytes { try layer.add(0, $0) }
    }

    /// The text of a file in an image.
    func read(_ path: String, in image: Image) throws -> String {
        try String(contentsOfFile: (trees.withLock { $0[image.digest] } ?? "") + path, encoding: .utf8)
    }

    func path(_ path: String, in image: Image) -> String { (trees.withLock { $0[image.digest] } ?? "") + path }
}

private final class FakeStepMachine: StepMachine {
    private let host: FakeStepHost
    private let tree: String
    private let image: Image
    private let running = Mutex<pid_t>(0)
    private let isRemoved = Mutex(false)

    init(host: FakeStepHost, tree: String, image: Image) { (self.host, self.tree, self.image) = (host, tree, image) }

    var root: RootedFolder { get throws { try RootedFolder(tree) } }

    func run(_ command: StepCommand) throws -> StepExit {
        var program = Command(command.arguments[0], Array(command.arguments.dropFirst()))
        program.environment = command.environment.map { "\($0.key)=\($0.value)" }
        program.workingFolder = tree + command.workingFolder
        program.descriptors = [1: command.output.raw, 2: command.output.raw]
        program.newSession = true
        let pid = try program.start()
        running.withLock { $0 = pid }
        if isRemoved.withLock({ $0 }) { kill(-pid, SIGKILL) }
        let status = try waitForExit(of: pid)
        running.withLock { $0 = 0 }
        return .ended(status)
    }

    func commit(_ draft: ImageDraft) throws -> (image: Image, bytes: Int64) { try host.keep(tree, draft, over: image) }

    func remove() throws {
        isRemoved.withLock { $0 = true }
        running.withLock { if $0 > 0 { kill(-$0, SIGKILL) } }
    }
}

/// Keeps every event.
final class RecordingReporter: BuildReporter {
    private let all = Mutex<[BuildEvent]>([])
    private let then: @Sendable (BuildEvent) -> Void

    init(then: @escaping @Sendable (BuildEvent) -> Void = { _ in }) { self.then = then }

    var events: [BuildEvent] { all.withLock { $0 } }

    func report(_ event: BuildEvent) {
        all.withLock { $0.append(event) }
        then(event)
    }

    func finish() {}
}
