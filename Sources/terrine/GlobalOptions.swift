import ArgumentParser
import Foundation
import Linux

/// What every command understands.
struct GlobalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where images and machines are kept; TERRINE_HOME, or else /var/lib/terrine for root.", valueName: "folder"))
    var home: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print nothing but results and errors.")
    var quiet = false

    @Option(help: ArgumentHelp("How much is told beside results: error, warning, info or debug.", valueName: "level"))
    var logLevel: LogLevel?

    /// What is told, here and in the processes that this one starts.
    func validate() throws { (logLevel ?? (quiet ? .error : nil))?.use() }

    /// An absolute path.
    var homeFolder: String { Self.homeFolder(home) }

    /// - Parameter home: what `--home` says, if anything.
    static func homeFolder(_ home: String?) -> String {
        let environment = ProcessInfo.processInfo.environment
        if let chosen = home ?? environment["TERRINE_HOME"], !chosen.isEmpty { return URL(fileURLWithPath: chosen).path }
        if getuid() == 0 { return "/var/lib/terrine" }
        let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? NSHomeDirectory() + "/.local/share"
        return data + "/terrine"
    }

    /// Prints a command's result: `value` with `--json`, otherwise what `text` makes for people, if anything.
    func print(_ value: some Encodable, _ text: () throws -> String) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
        } else {
            let text = try text()
            if !text.isEmpty { Swift.print(text) }
        }
    }

    /// Tells something beside the result, on the error stream.
    func note(_ text: String) {
        if LogLevel.current >= .info, !json { FileHandle.standardError.write(Data((text + "\n").utf8)) }
    }
}

extension LogLevel: ExpressibleByArgument {}
