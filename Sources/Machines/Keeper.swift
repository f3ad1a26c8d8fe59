import CLinux
import Foundation
import Glibc
import Linux
import Synchronization

/// The process that a machine lives by: it holds the FUSE device and the mounts, starts the machine's first process and the disk's server, and takes
/// all down at the end.
public enum Keeper {
    /// Where it tells its maker that the machine is up, or why not.
    static let reportDescriptor: Int32 = 3
    /// The machine's lock, held along with its maker until the machine is up: nobody clears away what is just being made.
    static let lockDescriptor: Int32 = 4

    /// Runs until the machine is taken down.
    ///
    /// - Parameter arguments: the home and the machine's name.
    public static func main(_ arguments: [String]) -> Int32 {
        guard arguments.count == 2 else { return 2 }
        signal(SIGPIPE, SIG_IGN)
        let report = ControlChannel(UnixSocket(Descriptor(owning: reportDescriptor)))
        var lock: Descriptor? = Descriptor(owning: lockDescriptor)
        do {
            // Before anything starts a thread.
            try enterPrivateMountNamespace()
            _ = clinux_prctl(PR_SET_CHILD_SUBREAPER, 1, 0)
            do { try writeSmallFile("/proc/self/oom_score_adj", "-900") } catch { log("cannot ask to be spared when memory is short: \(error)") }
            umask(0o022)
            let session = try KeeperSession(home: arguments[0], name: arguments[1])
            do {
                try session.bringUp()
            } catch {
                session.takeDown(trims: false)
                session.recordFailure(error)
                throw error
            }
            let listener = try UnixSocket.listen(at: session.paths.socket)
            try session.markRunning()
            withExtendedLifetime(lock) {}
            lock = nil
            _ = try PlainThread { serve(listener, session) }
            // Its maker waits for the services; who else wants something need not.
            let answer = session.watch()
            // A maker that has gone does not want to know.
            _ = try? report.send(answer)
            while true { pause() }
        } catch {
            log("\(error)")
            withExtendedLifetime(lock) {}
            // As above.
            _ = try? report.send(KeeperAnswer(error: ErrorText(error)))
            return 1
        }
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
            while let (request, _) = try channel.receive(KeeperRequest.self) {
                if case .stop(let stop) = request {
                    let problem = session.stop(stop)
                    // The one who asked may not wait for the answer.
                    _ = try? channel.send(KeeperAnswer(error: problem))
                    exit(0)
                }
                do {
                    try channel.send(try session.answer(request))
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
