import Foundation

/// The JSON Schema (draft 2020-12) of recipes, made from ``RecipeSchema``: the very keys that the decoder reads by.
///
/// It says what an editor can tell at once: keys, kinds of values, how they are spelt. What values say of each other, and of files, only
/// reading the recipe tells.
public enum JSONSchema {
    /// The whole schema as JSON text, the same for every call.
    public static func text() -> String {
        var root = mapping(.recipe, "")
        root["$schema"] = .text("https://json-schema.org/draft/2020-12/schema")
        root["title"] = .text("terrine.yaml")
        root["description"] = .text("What a repository needs: see Docs/recipes.md")
        // A recipe that extends another one has its base from there.
        root["required"] = .list([.text("version"), .text("name")])
        root["anyOf"] = .list([.object(["required": .list([.text("base")])]), .object(["required": .list([.text("extends")])])])
        root["$defs"] = .object(["when": .object(when)])
        return JSONValue.object(root).pretty(0) + "\n"
    }

    /// - Parameter path: of the mapping, dotted, without numbers.
    static func mapping(_ schema: RecipeSchema, _ path: String) -> [String: JSONValue] {
        var properties: [String: JSONValue] = [:]
        for key in schema.keys {
            let inside = path.isEmpty ? key.name : "\(path).\(key.name)"
            var value = ValueShape(of: key, at: inside).json(inside)
            if case .object(var object) = value, object["$ref"] == nil {
                object["description"] = .text(key.shape)
                value = .object(object)
            }
            properties[key.name] = value
        }
        // A manager's mapping may have a condition, as entries of its lists may.
        if path.hasPrefix("packages."), properties["when"] == nil { properties["when"] = .object(["$ref": .text("#/$defs/when")]) }
        var out: [String: JSONValue] = ["type": .text("object"), "additionalProperties": .bool(false), "properties": .object(properties)]
        // A manager can be a file of the user's own.
        if path == "packages" { out["additionalProperties"] = .object([:]) }
        let required = schema.keys.filter(\.isRequired).map { JSONValue.text($0.name) }
        if !required.isEmpty { out["required"] = .list(required) }
        return out
    }

    private static var when: [String: JSONValue] {
        let one = JSONValue.object(["type": .list([.text("string"), .text("number"), .text("boolean")])])
        let any: JSONValue = .object(["anyOf": .list([one, .object(["type": .text("array"), "minItems": .number(1), "items": one])])])
        let architecture = JSONValue.object(["enum": .list(Condition.architectures.map { .text($0) })])
        return [
            "type": .text("object"), "minProperties": .number(1),
            "description": .text("arch, variables and `not`: all must hold; a list means any of its values"),
            "properties": .object([
                "arch": .object(["anyOf": .list([architecture, .object(["type": .text("array"), "minItems": .number(1), "items": architecture])])]),
                "not": .object(["$ref": .text("#/$defs/when")]),
            ]), "additionalProperties": any,
        ]
    }
}
