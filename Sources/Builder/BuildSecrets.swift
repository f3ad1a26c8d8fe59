import Foundation
import Recipes

/// The values of secrets that a build was given: in this process's memory, and in a tmpfs while a step that names them runs.
public struct BuildSecrets: Sendable {
    /// Shorter ones stand in every text, so they could not be kept out of what is printed.
    static let shortest = 4
    /// A file that is larger is hardly a secret.
    static let largest = 1 << 20

    private let values: [String: [UInt8]]

    public static let none = BuildSecrets(values: [:])

    private init(values: [String: [UInt8]]) { self.values = values }

    /// Finds what the recipe declares: where `sources` say, else in a variable of that name.
    ///
    /// - Parameters:
    ///   - others: recipes that are built beside it: a source may be for one of them.
    ///   - sources: `NAME=env:VARIABLE` or `NAME=file:PATH`, as of `--secret`.
    /// - Throws: ``BuildError`` for a source that cannot be used, and for required secrets that are nowhere, all of them by name.
    public init(for recipe: Recipe, sources: [String], among others: [Recipe] = [], environment: [String: String] = ProcessInfo.processInfo.environment) throws
    {
        let declared = recipe.secrets.map(\.name)
        var values: [String: [UInt8]] = [:]
        for source in sources {
            let (name, value) = try Self.read(source, environment)
            if others.contains(where: { $0.secrets.contains { $0.name == name } }), !declared.contains(name) { continue }
            guard declared.contains(name) else {
                throw BuildError(
                    "unknownSecret", "the recipe declares no secret `\(name)`",
                    fix: declared.isEmpty ? "add it to `secrets`" : "it declares \(declared.joined(separator: ", "))")
            }
            values[name] = value
        }
        for name in declared where values[name] == nil { values[name] = environment[name].flatMap { $0.isEmpty ? nil : Array($0.utf8) } }
        let missing = recipe.secrets.filter { $0.isRequired && values[$0.name] == nil }.map(\.name)
        if !missing.isEmpty {
            throw BuildError(
                "missingSecret", "the recipe needs \(missing.count == 1 ? "the secret" : "the secrets") \(missing.joined(separator: ", "))",
                fix: "give it with `--secret \(missing[0])=file:PATH` or `=env:VARIABLE`, or set the variable \(missing[0])")
        }
        for (name, value) in values where value.count < Self.shortest {
            throw BuildError(
                "badSecret", "the secret \(name) has fewer than \(Self.shortest) bytes, so it cannot be told from other text and kept out of logs",
                fix: "give a longer one")
        }
        self.values = values
    }

    private static func read(_ source: String, _ environment: [String: String]) throws -> (String, [UInt8]) {
        let parts = source.split(separator: "=", maxSplits: 1).map(String.init)
        let wanted = BuildError(
            // The argument may hold the secret itself, so it is not shown.
            "usage", "a value of --secret is not NAME=env:VARIABLE or NAME=file:PATH", fix: "a secret itself is never an argument: others can read those")
        guard parts.count == 2, let colon = parts[1].firstIndex(of: ":") else { throw wanted }
        let place = String(parts[1][parts[1].index(after: colon)...])
        switch parts[1][..<colon] {
        case "env":
            guard let value = environment[place], !value.isEmpty else {
                throw BuildError("missingSecret", "the variable \(place), which holds the secret \(parts[0]), is not set", fix: "set it, or use file:PATH")
            }
            return (parts[0], Array(value.utf8))
        case "file":
            guard let bytes = FileManager.default.contents(atPath: place), bytes.count <= largest else {
                throw BuildError("missingSecret", "cannot read \(place), which holds the secret \(parts[0])", fix: "check the path and its permissions")
            }
            return (parts[0], Array(bytes))
        default: throw wanted
        }
    }

    /// Those that a step gets, by name.
    func values(_ step: PlanStep) -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: Set(step.secrets.map(\.name)).compactMap { name in values[name].map { (name, $0) } })
    }
}
