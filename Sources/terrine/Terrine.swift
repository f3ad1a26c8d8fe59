import ArgumentParser

@main
struct Terrine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terrine", abstract: "Layered disk images and copy-on-write machines from a recipe.")
}
