import ArgumentParser
import Builder
import Foundation
import Machines

struct Shell: ParsableCommand, RunsCommand {
    static let configuration = CommandConfiguration(commandName: "shell", abstract: "Open a shell in a running machine, or where a build failed.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("The machine; with --failed, the recipe's folder.", valueName: "machine|dir"), completion: .machines)
    var machine: String?

    @Flag(help: "On the disk that the recipe's last failed step left, in a machine that is discarded.")
    var failed = false

    @Flag(help: "With --failed: start it although the base is foreign; the host's kernel then mounts what a stranger wrote.")
    var trust = false

    @Option(name: [.customShort("u"), .long], help: ArgumentHelp("Whose shell.", valueName: "NAME|UID[:GID]"))
    var user: String?

    @Option(name: .customLong("cwd"), help: "Its working folder.")
    var workingFolder: String?

    func validate() throws {
        if machine == nil && !failed { throw ValidationError("say which machine, or --failed") }
    }

    func run() throws {
        if failed { throw try ExitCode(openFailed(RecipeOptions.folder(of: machine ?? "."))) }
        guard let machine else { return }
        throw try ExitCode(ShellSession.open(global.machines().machine(machine), user: user, workingFolder: workingFolder))
    }

    private func openFailed(_ folder: String) throws -> Int32 {
        let host = try global.machines()
        let (step, image) = try FailedSteps(images: host.images).required(folder)
        global.note("the step `\(step.step)` \(step.exitCode.map { "ended with \($0)" } ?? "ran out of time"); its script:\n\(step.script)")
        var spec = MachineSpec(image: image)
        spec.imageReference = "failed: \(step.step)"
        spec.environment = step.environment
        spec.runsFirstStart = false
        (spec.isTransient, spec.startsServices, spec.diskSize, spec.trustsImage) = (true, false, image.virtualBytes, trust)
        let machine = try host.start(spec)
        let result = Result { try ShellSession.open(machine, user: user ?? step.user, workingFolder: workingFolder ?? step.workingFolder) }
        try machine.remove()
        return try result.get()
    }
}

/// A person's shell in a machine: with a terminal when there is one, else reading commands from the input.
enum ShellSession {
    static func open(_ machine: Machine, user: String? = nil, workingFolder: String? = nil) throws -> Int32 {
        // bash where there is one, for a person; every image has sh.
        var exec = ExecSpec(["/bin/sh", "-c", "if command -v bash >/dev/null; then exec bash; fi; exec sh"])
        (exec.user, exec.workingFolder) = (user, workingFolder)
        exec.terminal = isatty(0) == 1 && isatty(1) == 1
        return try machine.run(exec).code
    }
}
