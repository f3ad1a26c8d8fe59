import Foundation

/// Looks through a recipe that is valid for what it may come to regret.
public struct RecipeLint {
    private let recipes: [Recipe]
    private var findings: [LintFinding] = []

    /// What is found in one file's recipes, in the order of the files, less what comments allow.
    ///
    /// - Parameters:
    ///   - recipes: all images of one recipe.
    ///   - undeclared: by number of a recipe, and of its step, the files that the step opens and does not declare.
    public static func findings(in recipes: [Recipe], undeclared: [Int: [Int: [String]]] = [:]) -> [LintFinding] {
        var lint = RecipeLint(recipes: recipes)
        for (number, steps) in undeclared.sorted(by: { $0.key < $1.key }) { lint.report(steps, recipes[number]) }
        for recipe in recipes { lint.look(at: recipe) }
        lint.lookAtVariables()
        let files = recipes.first.map { first in [first.file] + first.texts.keys.filter { $0 != first.file }.sorted() } ?? []
        let comments = LintComments(files.compactMap { file in recipes.first?.texts[file].map { (file: file, text: $0) } })
        var out: [LintFinding] = []
        // Images of a matrix share most of their lines.
        for finding in lint.findings + comments.problems where !comments.allow(finding) && !out.contains(finding) { out.append(finding) }
        return out.sorted { a, b in
            (files.firstIndex(of: a.file) ?? 0, a.line, a.column) < (files.firstIndex(of: b.file) ?? 0, b.line, b.column)
        }
    }

    private init(recipes: [Recipe]) { self.recipes = recipes }

    private mutating func report(_ rule: LintRule, _ recipe: Recipe, _ path: String, _ message: String, fix: String) {
        guard let place = recipe.locations[path] else { return }
        report(rule, recipe, at: place, message, fix: fix)
    }

    private mutating func report(_ rule: LintRule, _ recipe: Recipe, at place: SourceLocation, _ message: String, fix: String) {
        let source = recipe.texts[place.file].map { RecipeSource(file: place.file, text: $0).line(place.line) } ?? nil
        findings.append(LintFinding(rule, place, message, fix: fix, source: source))
    }

    private mutating func report(_ undeclared: [Int: [String]], _ recipe: Recipe) {
        for (step, paths) in undeclared.sorted(by: { $0.key < $1.key }) where !paths.isEmpty {
            let shown = paths.prefix(4).joined(separator: ", ") + (paths.count > 4 ? " and \(paths.count - 4) more" : "")
            report(
                .undeclaredInput, recipe, "steps.\(step).inputs", "the step `\(recipe.steps[step].name)` opens what it does not declare: \(shown)",
                fix: "add it to `inputs`, as `terrine lint --fix` does")
        }
    }

    private mutating func look(at recipe: Recipe) {
        let hasLock = FileManager.default.fileExists(atPath: TerrineLock.path(for: recipe))
        if !hasLock {
            unpinned(
                .unpinnedApt, recipe, "packages.apt", (recipe.packages["apt"]?.packages ?? []).filter { !$0.contains("=") }, fix: "name=version, or a lock file"
            )
            let pip = recipe.packages["pip"]?.packages.filter { !$0.contains("==") && !$0.contains(" @ ") } ?? []
            let path = recipe.locations["packages.pip.packages"] == nil ? "packages.pip" : "packages.pip.packages"
            unpinned(.unpinnedPip, recipe, path, pip, fix: "name==version, or a lock file")
            requirements(recipe)
        }
        for (index, repository) in recipe.repositories.enumerated() where !Self.isFixed(repository.ref) {
            let path = recipe.locations["repositories.\(index).ref"] == nil ? "repositories.\(index)" : "repositories.\(index).ref"
            report(
                .movingRef, recipe, path, "`\(repository.ref)` of \(repository.url) is another commit when somebody pushes to it",
                fix: "a tag, or a whole commit")
        }
        for (index, step) in recipe.steps.enumerated() where step.inputs == nil {
            report(
                .everyFile, recipe, "steps.\(index)", "the step `\(step.name)` has no `inputs`, so any changed file runs it again",
                fix: "inputs: what it reads, or [] for nothing")
        }
        secrets(recipe)
    }

    private mutating func unpinned(_ rule: LintRule, _ recipe: Recipe, _ path: String, _ names: [String], fix: String) {
        if names.isEmpty { return }
        let shown = names.prefix(4).joined(separator: ", ") + (names.count > 4 ? " and \(names.count - 4) more" : "")
        report(rule, recipe, path, "\(names.count == 1 ? "a package has" : "\(names.count) packages have") no version: \(shown)", fix: fix)
    }

    private mutating func requirements(_ recipe: Recipe) {
        for file in recipe.packages["pip"]?.values("requirements") ?? [] {
            guard let bytes = FileManager.default.contents(atPath: HostPath.join(recipe.folder, file)) else { continue }
            let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map { String($0).trimmed }
            let open = lines.filter { !$0.isEmpty && !$0.hasPrefix("#") && !$0.hasPrefix("-") && !$0.contains("==") && !$0.contains(" @ ") }
            let names = open.map { String($0.prefix { !" ;<>~!=[#".contains($0) }) }
            unpinned(.unpinnedPip, recipe, "packages.pip.requirements", names.map { "\($0) in \(file)" }, fix: "name==version in \(file), or a lock file")
        }
    }

    /// A commit, or what looks like a release's tag.
    private static func isFixed(_ ref: String) -> Bool {
        ref.wholeMatch(of: /[0-9a-f]{40}([0-9a-f]{24})?/) != nil || ref.wholeMatch(of: /(refs\/tags\/.+|[A-Za-z.-]*[0-9]+([._-][0-9A-Za-z]+)+)/) != nil
    }

    // MARK: Secrets

    private mutating func secrets(_ recipe: Recipe) {
        var environments = [("env", recipe.env)]
        environments += recipe.steps.enumerated().map { ("steps.\($0.offset).env", $0.element.env) }
        environments += recipe.services.enumerated().map { ("services.\($0.offset).env", $0.element.env) }
        for (path, values) in environments {
            for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                let kind = SecretPattern.kind(of: value) ?? (SecretPattern.isSecret(name: name, value: value) ? "a secret, by its name" : nil)
                guard let kind, let place = recipe.locations["\(path).\(name)"] else { continue }
                report(
                    .secretInText, recipe, at: place, "`\(name)` is \(kind), in plain text",
                    fix: "take it out, change it where it is valid, and give it at run time: -e \(name)")
            }
        }
        for (index, standIn) in recipe.standIns.enumerated() {
            guard let value = standIn.value else { continue }
            let looksReal = SecretPattern.isSecret(name: standIn.name, value: value) && !SecretPattern.isPlaceholder(value)
            guard let kind = SecretPattern.kind(of: value) ?? (looksReal ? "a secret, as it looks" : nil) else { continue }
            report(
                .secretInText, recipe, "stand_ins.\(index).value", "the stand-in `\(standIn.name)` is \(kind), in plain text",
                fix: "a value that nobody takes for a real one, such as placeholder-not-a-secret")
        }
        var scripts = recipe.steps.enumerated().map { ("steps.\($0.offset).run", $0.element.run) }
        scripts += recipe.services.enumerated().map { ("services.\($0.offset).run", $0.element.run) }
        scripts += recipe.checks.enumerated().map { ("checks.\($0.offset).run", $0.element.run) }
        for (path, script) in scripts {
            guard let kind = SecretPattern.kind(of: script) else { continue }
            report(.secretInText, recipe, path, "this script holds \(kind), in plain text", fix: "take it out, and change it where it is valid")
        }
    }

    // MARK: Variables

    /// A variable whose name stands in no other value, by text: one that a script names in a comment counts as used.
    private mutating func lookAtVariables() {
        guard let recipe = recipes.first else { return }
        for name in recipe.declared {
            let isUsed = recipe.texts.values.contains { text in
                text.contains("${\(name)") || text.ranges(of: "$\(name)").contains { !Self.goesOn(text, $0) } || Self.isCondition(text, name)
            }
            if !isUsed { report(.unusedVariable, recipe, "variables.\(name)", "nothing uses the variable `\(name)`", fix: "use it, or take it out") }
        }
    }

    private static func goesOn(_ text: String, _ range: Range<String.Index>) -> Bool {
        guard range.upperBound < text.endIndex else { return false }
        let next = text[range.upperBound]
        return next.isLetter || next.isNumber || next == "_"
    }

    /// `NAME:` on a line with, or below, a `when:`.
    private static func isCondition(_ text: String, _ name: String) -> Bool {
        var isBelow = false
        for line in text.split(separator: "\n") {
            if line.contains("when:") { isBelow = true } else if line.contains("name:") || line.contains("run:") { isBelow = false }
            if isBelow,
                line.ranges(of: "\(name):").contains(where: {
                    $0.lowerBound == line.startIndex
                        || !"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_".contains(line[line.index(before: $0.lowerBound)])
                })
            {
                return true
            }
        }
        return false
    }
}
