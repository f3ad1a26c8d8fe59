import ArgumentParser

/// What this program is.
enum Version {
    static let text = "0.1.0"
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print this program's version.")

    @OptionGroup var global: GlobalOptions

    func run() throws { try global.print(["version": Version.text]) { "terrine \(Version.text)" } }
}
