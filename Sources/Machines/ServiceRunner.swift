import Foundation
import Glibc
import Images
import Linux
import Synchronization

/// Starts a machine's services one after the other, each when those before it are ready, and starts them again as their policy says.
final class ServiceRunner: Sendable {
    /// Makes the command that runs a service (or its probe) in the machine.
    typealias Launcher = @Sendable (_ service: MachineDefaults.Service, _ probing: Bool) throws -> Command

    private struct Progress {
        var report: ServiceReport
        var pid: pid_t?
    }
    private struct State {
        var services: [Progress]
        var stopping = false
    }

    private let services: [MachineDefaults.Service]
    private let paths: MachinePaths
    private let launcher: Launcher
    private let state: Mutex<State>

    init(services: [MachineDefaults.Service], paths: MachinePaths, launcher: @escaping Launcher) {
        (self.services, self.paths, self.launcher) = (services, paths, launcher)
        state = Mutex(State(services: services.map { Progress(report: ServiceReport(name: $0.name, state: "starting", restarts: 0, message: nil)) }))
    }

    var reports: [ServiceReport] { state.withLock { $0.services.map(\.report) } }

    private var isStopping: Bool { state.withLock { $0.stopping } }

    /// No service is started any more; what runs is ended by whoever takes the machine down.
    func stop() { state.withLock { $0.stopping = true } }

    /// Starts all in their order; returns when the last is ready.
    ///
    /// - Throws: ``MachineError`` `serviceFailed` for the first that does not become ready; those after it are not started.
    func start() throws {
        for index in services.indices { try start(index) }
    }

    private func start(_ index: Int) throws {
        let service = services[index]
        _ = try PlainThread { [self] in run(index) }
        let deadline = ContinuousClock.now + .seconds(service.timeoutSeconds)
        while !isStopping {
            let report = state.withLock { $0.services[index].report }
            if report.state == "failed" { throw failure(service, report.message ?? "it ended") }
            // Without a probe a service is ready when it runs, or has put itself into the background and ended well.
            if service.ready == nil ? report.state != "starting" : probe(service) {
                state.withLock { if $0.services[index].report.state != "exited" { $0.services[index].report.state = "ready" } }
                return
            }
            if ContinuousClock.now > deadline {
                let message = "it was not ready after \(service.timeoutSeconds.formatted()) s"
                state.withLock {
                    $0.services[index].report.state = "failed"
                    $0.services[index].report.message = message
                }
                throw failure(service, message)
            }
            usleep(service.ready == nil ? 2_000 : 50_000)
        }
    }

    private func failure(_ service: MachineDefaults.Service, _ message: String) -> MachineError {
        let tail = (readSmallFile(log(service)) ?? "").split(separator: "\n").suffix(5).joined(separator: "\n")
        return MachineError(
            "serviceFailed", "the service `\(service.name)` did not become ready: \(message)", cause: tail.isEmpty ? nil : tail,
            fix: "`terrine logs \(paths.name)` has all that it said; a longer `timeout:` in the recipe gives it more time")
    }

    private func log(_ service: MachineDefaults.Service) -> String { "\(paths.logs)/\(service.name).log" }

    private func probe(_ service: MachineDefaults.Service) -> Bool {
        do {
            var command = try launcher(service, true)
            let null = try Descriptor("/dev/null", O_RDWR)
            for number: Int32 in 0...2 { command.descriptors[number] = null.raw }
            return try command.run() == .exited(0)
        } catch {
            Keeper.log("the probe of \(service.name) cannot run: \(error)")
            return false
        }
    }

    /// Runs one service until it has ended for good.
    private func run(_ index: Int) {
        let service = services[index]
        var delay: UInt32 = 100_000
        while !isStopping {
            let outcome: String
            var succeeded = false
            do {
                let status = try runOnce(service, index)
                succeeded = status == .exited(0)
                outcome = "it ended with \(status.code)"
            } catch { outcome = "\(error)" }
            if isStopping { return }
            let again = service.restart == "always" || service.restart == "on-failure" && !succeeded
            let restarts = state.withLock { state in
                state.services[index].pid = nil
                state.services[index].report.message = outcome
                if succeeded, !again { state.services[index].report.state = "exited" }
                if !succeeded, !again { state.services[index].report.state = "failed" }
                if again { state.services[index].report.restarts += 1 }
                return state.services[index].report.restarts
            }
            if !again { return }
            Keeper.log("the service \(service.name): \(outcome); start \(restarts + 1)")
            if restarts >= 5, state.withLock({ $0.services[index].report.state == "starting" }) {
                state.withLock { $0.services[index].report.state = "failed" }
                return
            }
            usleep(delay)
            delay = min(delay * 2, 10_000_000)
        }
    }

    private func runOnce(_ service: MachineDefaults.Service, _ index: Int) throws -> ExitStatus {
        var command = try launcher(service, false)
        let null = try Descriptor("/dev/null", O_RDONLY)
        let output = try Descriptor(log(service), O_WRONLY | O_CREAT | O_APPEND)
        command.descriptors[0] = null.raw
        command.descriptors[1] = output.raw
        command.descriptors[2] = output.raw
        command.newSession = true
        let pid = try command.start()
        state.withLock {
            $0.services[index].pid = pid
            // Without a probe nothing more is known of it.
            if service.ready == nil { $0.services[index].report.state = "ready" }
        }
        return try waitForExit(of: pid)
    }
}
