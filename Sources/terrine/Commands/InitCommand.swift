import ArgumentParser
import Autoinstall
import Foundation
import Linux
import Recipes

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a recipe from what the repository and its other formats say.",
        discussion: "Each line says where it comes from. The repository is only read: nothing of it is run. What could not be carried over is told.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("The repository's folder.", valueName: "dir"), completion: .directory)
    var path = "."

    @Flag(help: "Replace a recipe that is there.")
    var force = false

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to write, `-` for the output; else terrine.yaml in the repository.", valueName: "file"))
    var output: String?

    private struct Result: Encodable {
        var file: String?
        var recipe: String
        var base: String
        var ecosystems: [String]
        var goals: [Goal]
        var services: [String]
        var secrets: [String]
        var notes: [Note]
    }

    func run() throws {
        let folder = URL(fileURLWithPath: path).standardizedFileURL.path
        let file = output ?? folder + "/" + Recipe.fileName
        var status = stat()
        // A link counts, also one that leads nowhere.
        if file != "-", !force, lstat(file, &status) == 0 {
            throw AutoinstallError("exists", "\(file) is there already", fix: "`--force` replaces it, `-o -` shows what would be written")
        }
        let repository = try Repository(root: folder)
        let found = try Probe(home: global.homeFolder).run(repository)
        let draft = RecipeDraft(found, name: URL(fileURLWithPath: folder).lastPathComponent)
        let text = try draft.text()
        // What is written can be read: a mistake of ours must not become the user's.
        _ = try Recipe.parse(text, file: file == "-" ? Recipe.fileName : file, folder: folder)
        if file != "-" { try Self.write(text, to: file) }
        if file == "-", !global.json {
            print(text, terminator: "")
            for note in draft.notes { global.note("note: \(note)") }
            return
        }
        let ecosystems = found.projects.map { $0.folder.isEmpty ? $0.ecosystem.name : "\($0.ecosystem.name) in \($0.folder)" }
        let result = Result(
            file: file == "-" ? nil : file, recipe: text, base: draft.base.value, ecosystems: ecosystems, goals: found.goals,
            services: draft.services.map(\.value.name), secrets: draft.secrets.map(\.value), notes: draft.notes)
        try global.print(result) { summary(result, draft) }
    }

    /// Over a recipe that is there in one step, keeping its mode; a new one is anyone's to read.
    static func write(_ text: String, to file: String) throws {
        var status = stat()
        // A link of the repository's own must not choose what is written over: it is replaced itself.
        if lstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG { return try FormatCommand.replaceKeepingMode(file, text) }
        try replaceFile(file, with: Array(text.utf8), mode: 0o644)
    }

    private func summary(_ result: Result, _ draft: RecipeDraft) -> String {
        var lines = [
            "\(result.file ?? ""): \(draft.base.value), \(count(draft.packages["apt"]?.count ?? 0, "Debian package")), \(count(draft.steps.count, "step"))"
        ]
        if !result.ecosystems.isEmpty { lines.append("found: \(result.ecosystems.joined(separator: ", "))") }
        if !result.services.isEmpty { lines.append("services: \(result.services.joined(separator: ", "))") }
        if !result.secrets.isEmpty { lines.append("secrets: \(result.secrets.joined(separator: ", "))") }
        let tests = result.goals.filter { $0.kind == .test }.count
        lines.append(
            result.goals.isEmpty
                ? "checks: none, nothing here says what ought to work"
                : "checks: \(draft.checks.count) of \(count(result.goals.count, "goal")), \(tests) of them tests")
        for note in result.notes { lines.append("note: \(note)") }
        return lines.joined(separator: "\n")
    }

    private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
