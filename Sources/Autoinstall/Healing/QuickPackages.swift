import Recipes

/// Packages that were added while exploring, in steps of their own: one more package is then one more small layer, where the list that it belongs into would be made anew.
///
/// Debian's packages and those of a virtual environment that is there; what a layer of packages lacks has to come before it.
struct QuickPackages {
    private static let prefix = "explored"
    private static let managers = ["apt", "pip"]
    /// By round and manager.
    private var added: [Int: [String: [String]]] = [:]

    /// Whether it takes a change upon itself.
    mutating func take(_ fix: Fix, _ recipe: Recipe) -> Bool {
        guard let remedy = fix.remedy, !fix.isForPackages, recipe.base.text.hasPrefix("debian-") else { return false }
        var new: [String: [String]] = [:]
        for patch in remedy.patches {
            guard case .package(let manager, let name) = patch, manager == "apt" || manager == "pip" && recipe.packages["pip"] != nil, !name.hasPrefix("-")
            else {
                return false
            }
            new[manager, default: []].append(name)
        }
        for (manager, names) in new { added[fix.round, default: [:]][manager, default: []] += names }
        return true
    }

    /// The recipe with these steps before its own, those of earlier rounds first.
    func put(into text: String) throws -> String {
        var edited = RecipeText(text)
        for (round, lists) in added.sorted(by: { $0.key > $1.key }) {
            for manager in Self.managers.reversed() {
                guard let names = lists[manager] else { continue }
                let words = names.map(ShellQuote.word).joined(separator: " ")
                let run =
                    manager == "apt"
                    ? "apt-get update -q\nDEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \(words)" : "pip install \(words)"
                let step: [(String, RecipeValue)] = [
                    ("name", .scalar("\(Self.prefix) \(manager) \(round)")), ("run", .script(run)), ("inputs", .list([])), ("user", .scalar("root")),
                ]
                try edited.append(["steps"], .map(step), why: "", isFirst: true)
            }
        }
        return edited.text
    }

    /// Whose packages a step of these installs; nil for any other step's id.
    static func manager(of id: String) -> String? { words(id).map { $0.manager } }

    static func round(of id: String) -> Int? { words(id).map { $0.round } }

    private static func words(_ id: String) -> (manager: String, round: Int)? {
        let words = id.split(separator: " ").map(String.init)
        guard words.count == 3, words[0] == "steps.\(prefix)", managers.contains(words[1]), let round = Int(words[2]) else { return nil }
        return (words[1], round)
    }
}
