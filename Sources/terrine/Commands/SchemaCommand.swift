import ArgumentParser
import Recipes

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of recipes, for editors.",
        discussion: "It is made from the types that recipes are read by. Docs/editors.md says how editors take it.")

    @OptionGroup var global: GlobalOptions

    func run() { print(JSONSchema.text(), terminator: "") }
}
