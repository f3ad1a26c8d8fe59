import Images
import Linux
import Recipes

/// What a build needs of machines: fresh ones, from an image, that are gone when nobody holds them.
///
/// The real ones are Machines' sandboxes (``SandboxStepHost``); tests have theirs.
public protocol StepHost: Sendable {
    /// Starts a transient machine: it goes when this process does, whatever happens.
    func start(_ request: StepMachineRequest) throws -> any StepMachine
}

public struct StepMachineRequest: Sendable {
    public var image: Image
    public var network: Recipe.NetworkMode
    /// Folders of this host by their place in the machine.
    public var binds: [String: String] = [:]
    public var startsServices = false
    /// Whether the machine makes for itself what machines make at their first start: for checks, not for what becomes a layer.
    public var runsFirstStart = false
    /// nil: the host's own default.
    public var cpus: Double?
    /// Bytes; nil: the host's own default.
    public var memory: Int64?
    /// Processes and threads; nil: the host's own default.
    public var processes: Int?

    public init(image: Image, network: Recipe.NetworkMode) { (self.image, self.network) = (image, network) }

    /// For the checks of an image of `recipe`: as its users find it, with its first start done and its services up.
    init(checking image: Image, of recipe: Recipe) {
        self.init(image: image, network: recipe.network.run)
        (startsServices, runsFirstStart) = (true, true)
        (cpus, memory) = (recipe.resources.cpus, recipe.resources.memory)
    }
}

extension StepHost {
    /// Runs `body` with a machine for the checks of an image of `recipe`; it is gone afterwards, and at once when the build is cancelled.
    ///
    /// - Parameter what: what is checked, for the note on a machine that could not be removed.
    public func checking<T>(
        _ what: String, of image: Image, _ recipe: Recipe, _ cancellation: Cancellation, _ reporter: any BuildReporter, _ body: (any StepMachine) throws -> T
    ) throws -> T {
        let machine = try start(StepMachineRequest(checking: image, of: recipe))
        let result: T
        do {
            result = try cancellation.guarding({
                // A machine that cannot be removed now goes with this process.
                try? machine.remove()
            }) { try body(machine) }
        } catch {
            do { try machine.remove() } catch let second { reporter.report(.note("the machine of the \(what) could not be removed: \(second)")) }
            throw error
        }
        try machine.remove()
        return result
    }
}

/// One transient machine. Its calls come from one thread, but for ``remove()``, which may come from any, at any time, and breaks off the others.
public protocol StepMachine: Sendable {
    /// Its `/`, seen from this host.
    var root: RootedFolder { get throws }
    /// Runs a command to its end.
    func run(_ command: StepCommand) throws -> StepExit
    /// Ends the machine and keeps its disk as an image over the one that it started from, durable when this returns.
    ///
    /// - Returns: the image, and how many bytes of its disk the machine wrote.
    func commit(_ draft: ImageDraft) throws -> (image: Image, bytes: Int64)
    /// Ends the machine; nothing is kept. Does nothing after ``commit(_:)``.
    func remove() throws
}

public struct StepCommand: Sendable {
    public var arguments: [String]
    public var environment: [String: String]
    public var user: String
    public var workingFolder: String
    public var timeout: Duration?
    /// Where its stdout and stderr go.
    public var output: Descriptor

    public init(
        arguments: [String], environment: [String: String], user: String, workingFolder: String, timeout: Duration? = nil, output: Descriptor
    ) {
        (self.arguments, self.environment, self.user, self.workingFolder) = (arguments, environment, user, workingFolder)
        (self.timeout, self.output) = (timeout, output)
    }
}

public enum StepExit: Sendable, Equatable {
    case ended(ExitStatus)
    case timedOut
}
