import Foundation
import Images
import Linux
import Testing

@testable import Machines

@Suite struct ServiceRunnerTests {
    /// Services and probes as plain programs of this host.
    private func runner(_ services: [MachineDefaults.Service], _ folder: String) throws -> ServiceRunner {
        let paths = MachinePaths(home: folder, name: "web")
        try FileManager.default.createDirectory(atPath: paths.logs, withIntermediateDirectories: true)
        return ServiceRunner(services: services, paths: paths) { service, probing in
            var command = Command("/bin/sh", ["-c", (probing ? service.ready : nil) ?? service.run])
            command.workingFolder = folder
            return command
        }
    }

    private func service(_ name: String, _ run: String, ready: String? = nil, restart: String = "on-failure", timeout: Double = 20) -> MachineDefaults.Service {
        var service = MachineDefaults.Service(name: name, run: run)
        (service.ready, service.restart, service.timeoutSeconds) = (ready, restart, timeout)
        return service
    }

    @Test func eachStartsWhenTheOneBeforeIsReady() throws {
        try withFolder { folder in
            let runner = try runner(
                [
                    service("db", "echo up; touch db", ready: "test -e db"),
                    service("web", "test -e db && touch web", ready: "test -e web"),
                ], folder)
            try runner.start()
            #expect(runner.reports.map(\.name) == ["db", "web"] && runner.reports.allSatisfy { ["ready", "exited"].contains($0.state) })
            #expect(readSmallFile(folder + "/machines/web/logs/db.log") == "up\n")
            runner.stop()
        }
    }

    @Test func oneThatNeverBecomesReadyIsAnErrorWithWhatItSaid() throws {
        try withFolder { folder in
            let runner = try runner([service("db", "echo no disk; exit 3", ready: "false", restart: "never")], folder)
            let error = #expect(throws: MachineError.self) { try runner.start() }
            #expect(error?.code == "serviceFailed" && error?.message.contains("`db`") == true && error?.cause == "no disk")
            #expect(runner.reports.first?.state == "failed")
            runner.stop()
        }
    }

    @Test func oneThatFailsIsStartedAgain() throws {
        try withFolder { folder in
            // Fails at its first start, and stays at its second.
            let runner = try runner([service("db", "test -e once && { touch ready; exit 0; }; touch once; exit 1", ready: "test -e ready")], folder)
            try runner.start()
            #expect(runner.reports.first?.restarts == 1)
            runner.stop()
        }
    }
}
