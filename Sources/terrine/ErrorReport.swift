import Archives
import ArgumentParser
import Autoinstall
import Builder
import ChunkStore
import Disks
import Foundation
import Images
import Linux
import Machines
import Recipes
import Remotes
import Reports
import Trees

/// A command whose exit code is that of the program it runs in a machine, so that its own failures need codes of their own.
protocol RunsCommand {}

/// How errors are told: to people on the error stream, with `--json` as one object on the output.
struct ErrorReport {
    private let isJSON: Bool

    /// - Parameter arguments: as the process got them; looked at before they are parsed, since parsing may be what fails.
    init(arguments: [String]) { isJSON = arguments.prefix { $0 != "--" }.contains("--json") }

    struct Parts: Encodable {
        var code: String
        var message: String
        var cause: String?
        var fix: String?
    }

    /// Tells what is wrong with the command line, or the help that was asked for.
    ///
    /// - Returns: the exit code.
    func tellUsage(_ error: any Error) -> Int32 {
        let text = Terrine.fullMessage(for: error)
        if Terrine.exitCode(for: error) == .success {
            print(text)
            return 0
        }
        if isJSON {
            tellJSON(Parts(code: "usage", message: Terrine.message(for: error), cause: nil, fix: "`terrine help` lists the commands and their options"))
        } else {
            FileHandle.standardError.write(Data((text + "\n").utf8))
        }
        return 2
    }

    /// - Returns: the exit code.
    func tell(_ error: any Error, runningCommand: Bool) -> Int32 {
        let parts = Self.parts(of: error)
        if isJSON {
            tellJSON(parts)
        } else if let error = error as? RecipeDiagnostics {
            // Each problem says where it is by itself.
            FileHandle.standardError.write(Data("\(error)\n".utf8))
        } else {
            FileHandle.standardError.write(Data(Self.text(of: error).utf8))
        }
        guard runningCommand else { return Self.exitCode(of: error) }
        switch parts.code {
        case "timeout": return 124
        case "notExecutable": return 126
        case "commandNotFound": return 127
        default: return 125
        }
    }

    /// For people, with its lines' ends.
    ///
    /// - Parameter image: which one of several it befell.
    static func text(of error: any Error, image: String? = nil) -> String {
        let parts = parts(of: error)
        var text = "error: \(image.map { "\($0): " } ?? "")\(parts.message)"
        if let cause = parts.cause { text += cause.contains("\n") ? ":\n\(cause)" : ": \(cause)" }
        text += "\n"
        if let fix = parts.fix { text += "fix: \(fix)\n" }
        return text
    }

    /// 2 for a recipe that is wrong, 1 for work that failed in a way that its error explains, 125 for what Terrine did not expect.
    static func exitCode(of error: any Error) -> Int32 {
        switch error {
        case is RecipeDiagnostics, is RecipeError: 2
        case let error as BuildError where error.code == "cancelled": 130
        case is StoreError, is ImageError, is RemoteError, is DiskError, is MachineError, is BuildError, is ArchiveError, is TreeError, is ReportError,
            is AutoinstallError:
            1
        default: 125
        }
    }

    private func tellJSON(_ parts: Parts) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let data = try encoder.encode(["error": parts])
            print(String(decoding: data, as: UTF8.self))
        } catch { print("{\"error\":{\"code\":\"internal\",\"message\":\"the error cannot be encoded\"}}") }
    }

    static func parts(of error: any Error) -> Parts {
        switch error {
        case let error as StoreError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as ImageError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as RemoteError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as DiskError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as MachineError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as ArchiveError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as BuildError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as TreeError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as ReportError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as AutoinstallError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as RecipeDiagnostics: Parts(code: "badRecipe", message: "\(error)", cause: nil, fix: nil)
        case let error as RecipeError: Parts(code: error.code, message: error.message, cause: error.cause, fix: error.fix)
        case let error as LinuxError where error.code == ENOSPC:
            Parts(code: "noSpace", message: "\(error)", cause: nil, fix: "`terrine df` tells what takes the room, `terrine gc` frees what nothing needs")
        case let error as LinuxError where error.code == EROFS:
            Parts(
                code: "readOnly", message: "\(error)", cause: nil, fix: "mount the file system writable, or choose another home with TERRINE_HOME")
        case let error as CocoaError where error.code == .fileWriteOutOfSpace:
            Parts(
                code: "noSpace", message: error.localizedDescription, cause: nil,
                fix: "`terrine df` tells what takes the room, `terrine gc` frees what nothing needs")
        case let error as LinuxError where error.code == EACCES || error.code == EPERM:
            Parts(code: "permission", message: "\(error)", cause: nil, fix: "run it as root, or choose another home with TERRINE_HOME")
        default: Parts(code: "failed", message: "\(error)", cause: nil, fix: nil)
        }
    }
}
