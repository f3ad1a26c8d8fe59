import Foundation

/// Reads one file into the recipes that it stands for: one, or one for each image of its matrix.
///
/// In this order: the file is composed with what it extends and includes, `--set` is laid over it, the matrix is unfolded, and then for each
/// image `when` is decided, variables are put in, and what is left is read as a recipe. Every problem of all of them is told at once.
struct RecipeReader {
    let file: String
    /// Absolute: where the file lies, for what it names relative to itself.
    let path: String
    /// Absolute; where relative paths begin.
    let folder: String
    var options = Recipe.Options()

    func recipes(_ text: String) throws -> [Recipe] {
        let source = RecipeSource(file: file, text: text)
        let files = RecipeFiles(source)
        let managers = ManagerCatalog(folder: folder, home: options.home)
        let decoder = RecipeDecoder(files, managers: managers)
        var root = compose(try source.root(), decoder)
        let sets = options.sets.compactMap { set in
            Self.collecting(decoder) { try Override(set) }
        }
        let (variables, matrix) = language(of: &root, decoder)
        var given: [String: String] = [:]
        for set in sets {
            if set.path.count == 1, let variable = variables.first(where: { $0.name == set.path[0] }) {
                take(set, for: variable, matrix, &given, decoder)
            } else if set.path.count == 1, matrix.axes.contains(where: { $0.name == set.path[0] }) {
                decoder.report(set.location, "`\(set.path[0])` is an axis of the matrix", expected: "--only \(set.path[0])=value, to build some of its images")
            } else {
                root = set.applied(to: root, decoder, variables: variables.map(\.name))
            }
        }
        let cells = chosen(of: matrix, decoder)
        // Without a matrix there is one image, and nothing that tells it from others.
        let all = matrix.location == nil ? [nil] : cells.isEmpty ? [Matrix.Cell(values: [:])] : cells.map(Optional.some)
        let declared =
            variables + matrix.axes.filter { axis in !variables.contains { $0.name == axis.name } }.map { Variable(name: $0.name, location: $0.location) }
        var results: [(recipe: Recipe, decoder: RecipeDecoder)] = []
        for cell in all {
            var values: [String: String] = [:]
            for variable in variables { values[variable.name] = variable.initial }
            values.merge(given) { $1 }
            values.merge(cell?.values ?? [:]) { $1 }
            let inside = RecipeDecoder(files, managers: managers)
            let condition = Condition(decoder: inside, variables: declared, values: values, architecture: options.architecture)
            var recipe = read(named(root, cell, matrix), condition)
            (recipe.cell, recipe.variables) = (cell?.values ?? [:], values)
            recipe.declared = variables.map(\.name)
            recipe.locations.merge(decoder.locations) { own, _ in own }
            results.append((recipe, inside))
        }
        checkNames(results, matrix, decoder)
        return try finished(results, decoder)
    }

    private static func collecting<T>(_ decoder: RecipeDecoder, _ body: () throws -> T) -> T? {
        do {
            return try body()
        } catch let error as RecipeDiagnostics {
            for diagnostic in error.diagnostics { decoder.add(diagnostic) }
        } catch {
            decoder.report(SourceLocation(file: decoder.files.main, line: 1, column: 1), "\(error)")
        }
        return nil
    }

    private func compose(_ root: SourceNode, _ decoder: RecipeDecoder) -> SourceNode {
        let place = RecipePlace.host(path: path, shown: file)
        let composer = RecipeComposer(decoder: decoder, images: options.images, boundary: Self.repository(of: folder))
        var seen: Set<RecipePlace> = []
        return composer.composed(root, .recipe, at: place, chain: [place], seen: &seen)
    }

    /// The repository that a folder is in: the nearest one above with `.git`, or the folder itself.
    private static func repository(of folder: String) -> String {
        var above = folder
        while above != "/" {
            if FileManager.default.fileExists(atPath: above + "/.git") { return above }
            above = HostPath.parent(above)
        }
        return folder
    }

    // MARK: Variables and matrix

    /// What the sections of the language say; they are taken out of the tree.
    private func language(of root: inout SourceNode, _ decoder: RecipeDecoder) -> ([Variable], Matrix) {
        guard case .map(let entries) = root.value else { return ([], Matrix()) }
        let words: Set = ["variables", "matrix"]
        let variables = root.entry("variables").map { decoder.variables($0) } ?? []
        let matrix = root.entry("matrix").map { decoder.matrix($0, variables) } ?? Matrix()
        root = SourceNode(value: .map(entries.filter { !words.contains($0.key) || $0.isRepeated }), location: root.location)
        return (variables, matrix)
    }

    private func take(_ set: Override, for variable: Variable, _ matrix: Matrix, _ given: inout [String: String], _ decoder: RecipeDecoder) {
        if matrix.axes.contains(where: { $0.name == variable.name }) {
            decoder.report(set.location, "`\(variable.name)` is an axis of the matrix", expected: "--only \(variable.name)=value, to build some of its images")
        } else if !variable.accepts(set.value) {
            decoder.report(
                set.location, "the variable `\(variable.name)` cannot be `\(set.value)`", expected: variable.allowed, nearest: variable.nearest(set.value))
        } else {
            given[variable.name] = set.value
        }
    }

    /// The images that `--only` leaves.
    private func chosen(of matrix: Matrix, _ decoder: RecipeDecoder) -> [Matrix.Cell] {
        var wanted: [String: Set<String>] = [:]
        for argument in options.only {
            let shown = "--only \(argument)"
            let place = SourceLocation(file: shown, line: 1, column: 8)
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let names = matrix.axes.map(\.name)
            guard parts.count == 2 else {
                decoder.report(place, "`\(argument)` is not key=value", expected: "an axis of the matrix and one of its values")
                continue
            }
            guard names.contains(parts[0]) else {
                decoder.report(
                    place, names.isEmpty ? "the recipe has no matrix" : "`\(parts[0])` is no axis of the matrix",
                    expected: names.isEmpty ? "no --only" : names.joined(separator: ", "), nearest: Spelling.nearest(to: parts[0], among: names))
                continue
            }
            let values = matrix.cells.compactMap { $0.values[parts[0]] }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
            if !values.contains(parts[1]), !values.isEmpty {
                decoder.report(
                    place, "no image of the matrix has the \(parts[0]) `\(parts[1])`", expected: values.joined(separator: ", "),
                    nearest: Spelling.nearest(to: parts[1], among: values))
                continue
            }
            wanted[parts[0], default: []].insert(parts[1])
        }
        let cells = matrix.cells.filter { cell in wanted.allSatisfy { $0.value.contains(cell.values[$0.key] ?? "") } }
        if cells.isEmpty, !matrix.cells.isEmpty, let last = options.only.last {
            decoder.report(SourceLocation(file: "--only \(last)", line: 1, column: 8), "the matrix has no image with all that --only names")
        }
        return cells
    }

    /// The tree with the image's own name: the pattern that `name` is, or the values of the axes behind it.
    private func named(_ root: SourceNode, _ cell: Matrix.Cell?, _ matrix: Matrix) -> SourceNode {
        guard let cell, !cell.values.isEmpty, case .map(var entries) = root.value, let index = entries.firstIndex(where: { $0.key == "name" }),
            case .scalar(let name, let plain) = entries[index].value.value, !matrix.axes.contains(where: { name.contains("${\($0.name)") })
        else { return root }
        let values = matrix.axes.compactMap { cell.values[$0.name] }.map { value in
            String(value.lowercased().unicodeScalars.map { Quantities.isName("a\($0)") ? Character($0) : "-" })
        }
        let whole = ([name] + values).joined(separator: "-")
        entries[index].value = SourceNode(value: .scalar(whole, plain: plain), location: entries[index].value.location)
        return SourceNode(value: .map(entries), location: root.location)
    }

    private func checkNames(_ results: [(recipe: Recipe, decoder: RecipeDecoder)], _ matrix: Matrix, _ decoder: RecipeDecoder) {
        var names: Set<String> = []
        for (recipe, inside) in results where !recipe.name.isEmpty && !names.insert(recipe.name).inserted {
            if let place = inside.locations["name"] {
                decoder.report(
                    place, "two images of the matrix are named `\(recipe.name)`",
                    expected: "a name with all axes: \(matrix.axes.map { "${\($0.name)}" }.joined(separator: ", ")), or none of them")
            }
        }
    }

    // MARK: One image

    private func read(_ root: SourceNode, _ condition: Condition) -> Recipe {
        let decoder = condition.decoder
        let substitution = Substitution(condition: condition, keepsAll: false)
        let tree = substitution.applied(root)
        var recipe = decoder.recipe(tree)
        (recipe.folder, recipe.file, recipe.texts, recipe.locations) = (folder, file, decoder.files.texts, decoder.locations)
        decoder.checkReferences(of: recipe)
        ScriptVariables(condition: condition).give(to: &recipe)
        if substitution.outcome.hasLeftOut {
            // What is not in force here is read too: a mistake in it is one on every host.
            let apart = RecipeDecoder(decoder.files, managers: decoder.managers)
            apart.isApart = true
            let all = Condition(decoder: apart, variables: condition.variables, values: condition.values, architecture: condition.architecture)
            _ = apart.recipe(Substitution(condition: all, keepsAll: true).applied(root))
            for diagnostic in apart.diagnostics where diagnostic.severity == .error { decoder.add(diagnostic) }
        }
        return recipe
    }

    private func finished(_ results: [(recipe: Recipe, decoder: RecipeDecoder)], _ decoder: RecipeDecoder) throws -> [Recipe] {
        for (_, inside) in results { for diagnostic in inside.diagnostics { decoder.add(diagnostic) } }
        let diagnostics = decoder.sorted
        if decoder.hasErrors { throw RecipeDiagnostics(diagnostics) }
        return results.enumerated().map { index, result in
            var recipe = result.recipe
            // A warning is told once, whatever the number of images.
            recipe.warnings = index == 0 ? diagnostics : []
            return recipe
        }
    }
}
