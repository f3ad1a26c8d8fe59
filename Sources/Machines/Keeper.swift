import CLinux
import Foundation
import Glibc
import Linux
import Synchronization

/// The process that a machine lives by: it holds the FUSE device and the mounts, starts the machine's first process and the disk's server, and takes
/// all down at the end.
public enum Keeper {
    /// Where a keeper that was started as a program gets its job, and tells its maker that the machine is up, or why not.
    static let reportDescriptor: Int32 = 3

    /// The keeper as a program of its own: runs until the machine is taken down.
    public static func main(_ arguments: [String]) -> Int32 { main(ControlChannel(UnixSocket(Descriptor(owning: reportDescriptor)))) }

    static func main(_ report: ControlChannel) -> Int32 { main(home: nil, inherited: report.raw) { report } }

    /// A keeper in advance: it gets its report channel through `socket`, and has by then what does not depend on the machine.
    ///
    /// - Parameter home: where the machine will probably be.
    static func main(waitingAt socket: UnixSocket, for home: String) -> Int32 {
        main(home: home, inherited: socket.descriptor.raw) { try socket.receive(limit: 1).descriptors.first.map { ControlChannel(UnixSocket($0)) } }
    }

    private static func main(home: String?, inherited: Int32, report: () throws -> ControlChannel?) -> Int32 {
        CrashPoint.play(.keeper)
        signal(SIGPIPE, SIG_IGN)
        do {
            let null = try Descriptor("/dev/null", O_RDWR)
            for number: Int32 in 0...2 { try replaceDescriptor(number, with: null) }
            // Before there is a second thread, or anything that it must not inherit.
            let supervisor = try DiskServer.forkFirst(closing: inherited, expecting: home)
            let handed = KeeperDescriptors()
            // What cannot be made in advance is made in its time, and fails there if it must.
            if home != nil { handed.namespaces = try? NamespaceHolder(withNetwork: true) }
            guard let report = try report(), let job = try receiveJob(report, handed) else {
                supervisor.end()
                return 0
            }
            return run(job, handed, supervisor, report)
        } catch {
            // Its maker sees that it has gone without a word; there is no log yet.
            return 1
        }
    }

    private static func receiveJob(_ report: ControlChannel, _ handed: KeeperDescriptors) throws -> KeeperJob? {
        guard let (job, descriptors) = try report.receive(KeeperJob.self), descriptors.count == (job.command == nil ? 2 : 5) else { return nil }
        (handed.log, handed.lock, handed.streams) = (descriptors[0], descriptors[1], Array(descriptors[2...]))
        return job
    }

    private static func run(_ job: KeeperJob, _ handed: KeeperDescriptors, _ supervisor: DiskServer.First, _ report: ControlChannel) -> Int32 {
        do {
            if let log = handed.log { for number: Int32 in 1...2 { try replaceDescriptor(number, with: log) } }
            handed.log = nil
            job.logLevel.use()
            setProcessTitle("terrine __keeper \(job.home) \(job.name)")
            // Before anything starts a thread.
            try timed("private namespace") { try enterPrivateMountNamespace() }
            _ = clinux_prctl(PR_SET_CHILD_SUBREAPER, 1, 0)
            do { try writeSmallFile("/proc/self/oom_score_adj", "-900") } catch { log("cannot ask to be spared when memory is short: \(error)") }
            umask(0o022)
            // The namespace is that of the process's first thread too, by which others look into it.
            return try inOwnThread { live(job, handed, supervisor, report) }
        } catch {
            return fail(error, handed, supervisor, report)
        }
    }

    private static func live(_ job: KeeperJob, _ handed: KeeperDescriptors, _ supervisor: DiskServer.First, _ report: ControlChannel) -> Int32 {
        do {
            let session = try KeeperSession(job, handed, supervisor: supervisor)
            do {
                try timed("bring up") { try session.bringUp() }
            } catch {
                session.takeDown(trims: false, discards: false)
                session.recordFailure(error)
                throw error
            }
            let listener = try UnixSocket.listen(at: session.paths.socket)
            try session.markRunning()
            handed.lock = nil
            _ = try PlainThread { serve(listener, session) }
            // Its maker waits for the services; who else wants something need not.
            let answer = session.watch(report)
            // A maker that has gone does not want to know.
            _ = try? report.send(answer)
            while session.command == nil { pause() }
            return 0
        } catch {
            return fail(error, handed, supervisor, report)
        }
    }

    /// Tells its maker, and leaves nothing.
    private static func fail(_ error: any Error, _ handed: KeeperDescriptors, _ supervisor: DiskServer.First, _ report: ControlChannel) -> Int32 {
        log("\(error)")
        supervisor.end()
        handed.lock = nil
        // A maker that has gone does not want to know.
        _ = try? report.send(KeeperAnswer(error: ErrorText(error)))
        return 1
    }

    /// Encodes and decodes what a keeper will: the first time takes milliseconds.
    static func warmUp() {
        let file = MachineFile(
            name: "a", id: "0", created: 0, state: .created, image: "", imageReference: "", sealed: [], top: "", origin: [], diskSize: 0,
            settings: MachineFile.Settings(), keeper: .current, owner: .current)
        let disk = DiskDescription(image: "", sealed: [""], top: "", size: 0, isVolatile: false)
        func pass<T: Codable>(_ value: T) {
            // Nothing depends on it.
            _ = try? JSONDecoder().decode(T.self, from: JSONEncoder().encode(value))
        }
        pass(file)
        pass(KeeperJob(home: "", name: "", logLevel: .info, command: ForegroundCommand(arguments: [""], environment: ["": ""])))
        pass(SupervisorRequest.serve(home: "", machine: "", disk, resumed: false, liveStates: [""]))
        pass(SupervisorAnswer())
        pass(KeeperAnswer())
        _ = SeccompProfile.text
    }

    private static func serve(_ listener: UnixSocket, _ session: KeeperSession) -> Never {
        while true {
            do {
                let client = try listener.accept()
                _ = try PlainThread { converse(ControlChannel(client), session) }
            } catch {
                log("cannot take a request: \(error)")
                usleep(100_000)
            }
        }
    }

    private static func converse(_ channel: ControlChannel, _ session: KeeperSession) {
        do {
            while let (request, descriptors) = try channel.receive(KeeperRequest.self) {
                if case .stop(let stop) = request {
                    let problem = session.stop(stop)
                    // The one who asked may not wait for the answer.
                    _ = try? channel.send(KeeperAnswer(error: problem))
                    exit(0)
                }
                do {
                    try channel.send(try session.answer(request, descriptors))
                } catch let error as LinuxError where error.code == EPIPE {
                    throw error
                } catch {
                    log("\(error)")
                    try channel.send(KeeperAnswer(error: ErrorText(error)))
                }
            }
        } catch {
            log("a request broke off: \(error)")
        }
    }

    static func log(_ line: String) {
        let text = "\(Supervisor.timestamp()) keeper \(getpid()): \(line)\n"
        // The log is the last resort; there is nowhere else to tell.
        _ = text.withCString { write(2, $0, strlen($0)) }
    }
}

/// What a keeper's maker hands it, each to be let go as soon as it is not needed: others wait for the lock, and for the end of the command's output.
///
/// The keeper's first thread hands it to the one that it lives in, and touches it no more.
final class KeeperDescriptors: @unchecked Sendable {
    var log: Descriptor?
    /// The machine's, held along with its maker until the machine is up: nobody clears away what is just being made.
    var lock: Descriptor?
    /// Input, output and errors of the command that the machine is made for.
    var streams: [Descriptor] = []
    /// Of a keeper in advance, until its machine has them.
    var namespaces: NamespaceHolder?
}
