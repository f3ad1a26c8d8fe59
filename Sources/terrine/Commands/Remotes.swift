import ArgumentParser
import Foundation
import Images
import Linux
import Remotes
import Synchronization

/// How a registry is talked to.
struct RemoteOptions: ParsableArguments {
    @Flag(help: "Talk to the registry over HTTP, without TLS.")
    var plainHttp = false
}

struct PushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Send an image to a registry.",
        discussion:
            "Sent is what the registry lacks: after a push of its parent, little more than an image's own layer. After a cut or a kill, the same command "
            + "goes on where it was.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var options: RemoteOptions

    @Argument(help: "The image.", completion: .images)
    var image: String

    @Argument(help: ArgumentHelp("Where to.", valueName: "host/path[:tag]"))
    var remote: String

    func run() throws {
        let images = try global.images()
        let found = try images.resolve(image)
        let remote = try Remote(remote, home: images.home, plainHTTP: options.plainHttp)
        let progress = TransferLine(global, "sending")
        let result = try Push(images: images, to: remote) { progress.show($0) }.run(found)
        progress.finish()
        try global.print(result) {
            "\(result.remote) \(result.manifest) (sent \(bytesText(result.sentBytes)) of \(bytesText(result.totalBytes)), \(result.milliseconds) ms)"
        }
    }
}

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Fetch an image from a registry.",
        discussion: "Fetched is what the store lacks, and each chunk is checked as it comes. After a cut or a kill, the same command goes on where it was. "
            + "An image from a remote that `config.yaml` does not trust is foreign.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var options: RemoteOptions

    @Argument(help: ArgumentHelp("Where from.", valueName: "host/path[:tag]"))
    var remote: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The image's name here; the last part of its path and its tag if you give none.", valueName: "name[:tag]"))
    var tag: String?

    @Option(help: ArgumentHelp("Fetch it only when one of these keys has signed it.", valueName: "file"))
    var requireSignature: [String] = []

    @Flag(help: "Trust the image, wherever it comes from.")
    var trust = false

    func run() throws {
        let images = try global.images()
        let start = ContinuousClock.now
        let remote = try Remote(remote, home: images.home, plainHTTP: options.plainHttp, trusted: trust)
        let name = try ImageReference.normal(tag ?? remote.localName)
        let progress = TransferLine(global, "fetching")
        let result = try Pull(images: images, from: remote) { progress.show($0) }.run(name: name, required: requireSignature, since: start)
        progress.finish()
        try global.print(result) {
            "\(name) \(result.image) (fetched \(bytesText(result.fetchedBytes)), \(result.milliseconds) ms)"
                + (result.foreign ? "\nit is foreign: \(remote.name.host) is not trusted here" : "")
        }
    }
}

/// Progress of a transfer on the error stream: a line that changes on a terminal, else one now and then. Of several at a time none has a line to itself.
final class TransferLine: Sendable {
    private let isTerminal: Bool
    private let isSilent: Bool
    private let verb: String
    private let last = Mutex<ContinuousClock.Instant?>(nil)
    private let isShown = Atomic(false)

    /// - Parameter image: which one this is, when several are sent side by side.
    init(_ global: GlobalOptions, _ verb: String, image: String? = nil) {
        isTerminal = image == nil && isatty(2) == 1
        isSilent = LogLevel.current < .info || global.json && isatty(2) != 1
        self.verb = image.map { "\($0) | \(verb)" } ?? verb
    }

    func show(_ progress: TransferProgress) {
        if isSilent { return }
        let now = ContinuousClock.now
        let every: Duration = isTerminal ? .milliseconds(100) : .seconds(2)
        let isDue = last.withLock { last in
            guard let before = last else {
                last = now
                return isTerminal
            }
            if now - before < every { return false }
            last = now
            return true
        }
        if !isDue { return }
        isShown.store(true, ordering: .relaxed)
        let text = "\(verb): \(bytesText(max(0, progress.done))) of \(bytesText(progress.total)), \(bytesText(max(0, progress.left))) left"
        FileHandle.standardError.write(Data((isTerminal ? "\r\u{1B}[K\(text)" : text + "\n").utf8))
    }

    func finish() {
        if isTerminal, isShown.load(ordering: .relaxed) { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
