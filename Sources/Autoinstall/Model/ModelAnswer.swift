import Foundation
import Recipes

/// Reads what a model proposes, and refuses all that is no plain change of a recipe.
///
/// A model's words may be a stranger's: what a repository printed is in the question. So nothing of a proposal names a file or an address of this host, a
/// registry or a secret; a script becomes a step, which runs in a machine when the recipe is built, and what came of it is proven like everything else.
struct ModelAnswer {
    /// In the order of the answer.
    private(set) var proposals: [(reason: String, patches: [RecipePatch])] = []
    /// Why others are not there, each in a line.
    private(set) var refusals: [String] = []

    private static let mostProposals = 5
    private static let mostPatches = 12

    /// - Throws: ``AutoinstallError`` `modelAnswer` for what is not of the form that was asked for.
    init(_ text: String) throws {
        let object = try Self.object(Self.unfenced(text))
        guard Set(object.keys) == ["proposals"], let list = object["proposals"] as? [Any] else {
            throw Self.malformed("it must be {\"proposals\": [...]} and nothing else")
        }
        guard list.count <= Self.mostProposals else { throw Self.malformed("it has more than \(Self.mostProposals) proposals") }
        for (index, item) in list.enumerated() {
            guard let item = item as? [String: Any], Set(item.keys) == ["reason", "patches"], let reason = item["reason"] as? String,
                let patches = item["patches"] as? [Any], !patches.isEmpty, patches.count <= Self.mostPatches
            else { throw Self.malformed("proposals[\(index)] must be {\"reason\": text, \"patches\": [1 to \(Self.mostPatches) patches]}") }
            do {
                proposals.append((Evidence.shown(reason), try patches.map { try ModelPatch.read($0) }))
            } catch let refusal as ModelPatch.Refusal { refusals.append("proposals[\(index)]: \(refusal.description)") }
        }
    }

    private static func malformed(_ message: String) -> AutoinstallError {
        AutoinstallError("modelAnswer", "the model's answer cannot be used: \(message)")
    }

    private static func object(_ text: String) throws -> [String: Any] {
        // Why it is no JSON is said in words that help nobody.
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else { throw malformed("it is no JSON object") }
        return object
    }

    /// Without the fence of three backquotes that many models put around JSON.
    private static func unfenced(_ text: String) -> String {
        var lines = text.trimmingSpaces.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, first.hasPrefix("```"), lines.count > 2, lines.last?.trimmingSpaces == "```" else { return text }
        lines.removeFirst()
        lines.removeLast()
        return lines.joined(separator: "\n")
    }
}
