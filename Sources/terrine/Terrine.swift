import ArgumentParser
import Foundation
import Machines

struct Terrine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terrine", abstract: "Layered disk images and copy-on-write machines from a recipe.",
        discussion:
            "Exit codes: 0 done, 1 the work failed, 2 wrong usage or a bad recipe, 125 terrine itself failed. `run`, `exec` and `shell` give the command's own; "
            + "124 when it was killed at its timeout, 125 when terrine failed, 126 when the file is no program, 127 when there is none.",
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Images from recipes",
                subcommands: [
                    InitCommand.self, AutoinstallCommand.self, PlanCommand.self, Build.self, ContinuousIntegration.self, FormatCommand.self, LintCommand.self,
                    SchemaCommand.self,
                ]),
            CommandGroup(
                name: "Machines",
                subcommands: [
                    Run.self, Start.self, Exec.self, Shell.self, Copy.self, Logs.self, List.self, Wait.self, Stop.self, Remove.self, Hibernate.self,
                    Resume.self, UpgradeSupervisors.self,
                ]),
            CommandGroup(name: "Checkpoints", subcommands: [CheckpointCommand.self, Fork.self, Restore.self, Rollback.self, Promote.self]),
            CommandGroup(
                name: "Images",
                subcommands: [
                    ImageList.self, History.self, Inspect.self, Export.self, Import.self, Diff.self, Explain.self, Flatten.self, Sbom.self, Tag.self,
                    RemoveImage.self,
                    CollectGarbage.self,
                    Verify.self, DiskUse.self,
                ]),
            CommandGroup(name: "Registries", subcommands: [PushCommand.self, PullCommand.self, Sign.self, ProvenanceCommand.self]),
            CommandGroup(name: "Host", subcommands: [Doctor.self, CompletionCommand.self, VersionCommand.self]),
        ])
}

@main enum Program {
    static func main() {
        let arguments = CommandLine.arguments
        if arguments.count > 1, let process = ownProcesses[arguments[1]] { exit(process(Array(arguments.dropFirst(2)))) }
        if arguments.count > 1, let isSure = startMachines[arguments[1]] {
            // Another `--home` makes the guess wrong, and costs what it would have spared.
            Nursery.plant(expecting: isSure ? GlobalOptions.homeFolder(nil) : nil)
        }
        let report = ErrorReport(arguments: arguments)
        var command: any ParsableCommand
        do { command = try Terrine.parseAsRoot(LockOptions.spelledOut(Array(arguments.dropFirst()))) } catch { exit(report.tellUsage(error)) }
        do {
            try command.run()
        } catch let code as ExitCode {
            exit(code.rawValue)
        } catch  where Terrine.exitCode(for: error) != .failure {
            // Help that was asked for by leaving out the subcommand, or a value that only the command could judge.
            exit(report.tellUsage(error))
        } catch {
            exit(report.tell(error, runningCommand: command is any RunsCommand))
        }
    }

    /// Commands that need keepers soon, and whether they are sure to.
    private static let startMachines = [
        "autoinstall": false, "build": false, "ci": false, "run": true, "start": true, "resume": true, "fork": true, "restore": true, "rollback": true,
        "promote": true,
    ]

    /// Processes that live beside the command line, started by it.
    private static let ownProcesses: [String: @Sendable ([String]) -> Int32] = [
        "__keeper": { Keeper.main($0) }, "__supervisor": { Supervisor.main($0) }, "__pack": { Machine.packMain($0) }, "__sum": { Machine.sumMain($0) },
        "__probe": { HostProbe.main($0) },
        "__private": { HostProbe.runPrivately($0) },
    ]
}
