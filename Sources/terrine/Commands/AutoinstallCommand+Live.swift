import ArgumentParser
import Autoinstall
import Foundation
import Linux
import Machines
import Recipes

/// What an agent asks in a machine that runs: `--machine M --missing CMD`, or `--failed-log FILE`.
extension AutoinstallCommand {
    func validateLive() throws {
        if machine == nil {
            if missing != nil || failedLog != nil { throw ValidationError("say in which machine it is missing: --machine NAME") }
        } else if (missing == nil) == (failedLog == nil) {
            throw ValidationError("say what is missing in the machine: either --missing COMMAND, or --failed-log FILE with what failed")
        }
    }

    /// Mends the machine at once, and leaves the proof to a process that lives on.
    func healLive(_ name: String, folder: String, _ read: @escaping (String) throws -> Recipe) throws {
        let machine = try global.machines().machine(name)
        let lacks: [Lack]
        if let missing {
            lacks = try LiveHealer.lacks(command: missing)
        } else {
            lacks = try LiveHealer.lacks(log: try Self.log(failedLog ?? "-"), home: global.homeFolder)
        }
        let file = folder + "/" + Recipe.fileName
        let recipe = FileManager.default.fileExists(atPath: file) ? try read(try Recipe.text(of: file)) : nil
        var healer = try LiveHealer(
            machine: name, repository: folder, recipe: recipe, home: global.homeFolder, run: { try Self.run($0, in: machine) }, tell: { global.note($0) })
        var report = try healer.heal(lacks)
        if lacks.isEmpty { report.notes.append("nothing in it says what is missing") }
        if recipe == nil {
            report.notes.append("\(folder) has no recipe, so this machine alone has it: `terrine autoinstall --write` makes one")
        } else if report.isPending {
            if wait { return try tell(report, proof: try prove(folder, read)) }
            report.proof = healer.proofLog
            try startProof(folder, log: healer.proofLog)
        }
        try tell(report, proof: nil)
    }

    private struct Both: Encodable {
        let live: LiveHealer.Report
        let proof: LiveProof.Report?
    }

    private func tell(_ report: LiveHealer.Report, proof: LiveProof.Report?) throws {
        try global.print(Both(live: report, proof: proof)) {
            let lines = (proof?.proven ?? []).map { "proven, and in the recipe: \($0)" } + (proof?.refuted ?? []).map { "not proven: \($0)" }
            return ([report.text] + lines).filter { !$0.isEmpty }.joined(separator: "\n")
        }
        if report.mended.isEmpty || !(proof?.refuted.isEmpty ?? true) { throw ExitCode(1) }
    }

    /// What failed, from a file or the input.
    private static func log(_ path: String) throws -> String {
        let bytes = path == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: path)
        guard let bytes else { throw AutoinstallError("unreadable", "cannot read \(path)", fix: "give what a command printed, or - for the input") }
        return String(decoding: bytes.suffix(8 << 20), as: UTF8.self)
    }

    private static func run(_ script: String, in machine: Machine) throws -> (code: Int32, output: String) {
        let output = try Descriptor.memory(named: "output")
        let nothing = try Descriptor("/dev/null", O_RDONLY)
        var exec = ExecSpec(["/bin/sh", "-e", "-c", script])
        exec.user = "0:0"
        exec.descriptors = [0: nothing.raw, 1: output.raw, 2: output.raw]
        exec.timeout = .seconds(600)
        let status = try withExtendedLifetime(nothing) { try machine.run(exec) }
        return (status.code, String(decoding: try readFile("/proc/self/fd/\(output.raw)").suffix(64 << 10), as: UTF8.self))
    }

    // MARK: The proof

    /// Proves what is pending for a repository, and changes its recipe.
    func prove(_ folder: String, _ read: @escaping (String) throws -> Recipe) throws -> LiveProof.Report {
        let file = folder + "/" + Recipe.fileName
        let limit = try DurationArgument.parse(budget)
        return try withWorkbench(limit) { bench in
            var proof = try LiveProof(repository: folder, file: file, home: global.homeFolder, workbench: bench, read: read) { global.note($0) }
            return try proof.run(deadline: .now + limit) { try InitCommand.write($0, to: file) }
        }
    }

    /// Another process, which this one's end and its terminal do not reach.
    private func startProof(_ folder: String, log: String) throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let output = try Descriptor(log, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let nothing = try Descriptor("/dev/null", O_RDONLY)
        var command = Command(own, ["autoinstall", folder, "--prove-pending", "--home", global.homeFolder, "--budget", budget])
        command.descriptors = [0: nothing.raw, 1: output.raw, 2: output.raw]
        command.newSession = true
        _ = try withExtendedLifetime((output, nothing)) { try command.start() }
    }
}
