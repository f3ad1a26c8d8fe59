import Recipes

/// One change of the recipe that the loop made, and for what.
struct Fix: Sendable {
    enum Change: Sendable {
        case remedy(Remedy)
        /// A check that leaves out tests by name.
        case quarantine(check: String, command: String)
    }

    /// What failed.
    enum Target: Hashable, Sendable {
        case check(String)
        case step(String)
        case service(String)

        var name: String {
            switch self {
            case .check(let name), .step(let name), .service(let name): name
            }
        }
    }

    let change: Change
    /// All that told the same lack, the first of which the change is for.
    var targets: [Target]
    let round: Int
    /// It is for a layer of packages, which nothing but lists of packages come before.
    var isForPackages = false
    /// One line for the recipe.
    let why: String

    var remedy: Remedy? { if case .remedy(let remedy) = change { remedy } else { nil } }

    /// With another base everything is another.
    var changesBase: Bool { remedy?.patches.contains { if case .base = $0 { true } else { false } } ?? false }

    /// Whether a step of a plan, by its id, is another with this change.
    func concerns(step id: String) -> Bool {
        guard let remedy else { return false }
        return remedy.patches.contains { patch in
            switch patch {
            case .package(let manager, _), .manifest(let manager, _, _): id == "packages.\(manager)"
            case .step(let name, _): id == "steps.\(DraftMaker.title(name))"
            case .base: true
            default: false
            }
        }
    }

    /// The recipe with this change.
    ///
    /// - Throws: ``RecipeText/Refusal``, or what reading the result throws.
    func applied(to text: String, read: (String) throws -> Recipe) throws -> String {
        var text = text
        switch change {
        case .remedy(let remedy):
            var isFirst = true
            var refusals = 0
            for patch in remedy.patches {
                var around = RecipeText.Surroundings(recipe: try read(text))
                switch targets.first {
                case .check(let name): around.check = name
                case .step(let name): around.step = name
                case .service, nil: break
                }
                var edited = RecipeText(text)
                do {
                    try edited.apply(patch, around, why: isFirst ? why : "with it: \(why)")
                } catch let refusal as RecipeText.Refusal {
                    // Of packages that belong together some may be there already.
                    refusals += 1
                    if refusals == remedy.patches.count { throw refusal }
                    continue
                }
                text = edited.text
                isFirst = false
                _ = try read(text)
            }
        case .quarantine(let check, let command):
            var edited = RecipeText(text)
            try edited.wrap(RecipeText.Surroundings(recipe: try read(text), check: check), why: why) { _ in command }
            text = edited.text
            _ = try read(text)
        }
        return text
    }
}
