import ArgumentParser
import Foundation
import Linux
import Recipes

struct FormatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fmt", abstract: "Write recipes in the one canonical way.",
        discussion:
            "Comments and meaning stay: what is written is read again first, and nothing is written if anything differs. Without FILE, terrine.yaml and "
            + ".terrine/*.yaml here. `-` is the input, written to the output.")

    @OptionGroup var global: GlobalOptions

    @Flag(help: "Write nothing; tell which files differ, with exit code 1 if any does.")
    var check = false

    @Argument(help: ArgumentHelp("Recipes and fragments.", valueName: "file"), completion: .file(extensions: ["yaml"]))
    var files: [String] = []

    private struct Result: Encodable {
        var changed: [String]
        var unchanged: [String]
    }

    func run() throws {
        if files == ["-"] {
            let text = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
            let new = try RecipeFormat.formatted(text, file: "<input>")
            if check, new != text { throw ExitCode(1) }
            return check ? () : Swift.print(new, terminator: "")
        }
        let paths = files.isEmpty ? Recipe.files(ofRepository: ".") : files
        if paths.isEmpty { throw RecipeError("notFound", "there is no \(Recipe.fileName) and no \(Recipe.folderName)/*.yaml here", fix: "name the files") }
        // All are read before one is written.
        let texts = try paths.map { path in
            let text = try Recipe.text(of: try Recipe.file(at: path))
            return (path: try Recipe.file(at: path), old: text, new: try RecipeFormat.formatted(text, file: path))
        }
        let changed = texts.filter { $0.old != $0.new }
        if !check { for file in changed { try Self.replaceKeepingMode(file.path, file.new) } }
        let result = Result(changed: changed.map(\.path), unchanged: texts.filter { $0.old == $0.new }.map(\.path))
        try global.print(result) { result.changed.joined(separator: "\n") }
        if check, !changed.isEmpty { throw ExitCode(1) }
    }

    /// In one step, through links: a reader sees the old file or the new one. Owner and mode stay.
    static func replaceKeepingMode(_ path: String, _ text: String) throws {
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        var status = stat()
        guard stat(real, &status) == 0 else { throw LinuxError("look at", real) }
        try replaceFile(real, with: Array(text.utf8), mode: status.st_mode & 0o7777)
        // What the process's mask took away of the mode comes back; another one's file stays theirs, where that is allowed.
        _ = chown(real, status.st_uid, status.st_gid)
        _ = chmod(real, status.st_mode & 0o7777)
    }
}
