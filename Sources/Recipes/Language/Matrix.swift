/// `matrix:`: lists of values, one image for each way to choose one of each.
struct Matrix {
    static let limit = 256

    struct Axis {
        let name: String
        var values: [String]
        let location: SourceLocation
    }

    /// A value of each axis, and of variables that an entry of `include` sets besides.
    struct Cell: Hashable { var values: [String: String] }

    var axes: [Axis] = []
    var cells: [Cell] = []
    var location: SourceLocation?
}

extension RecipeDecoder {
    /// Reads the section `matrix`; variables that are declared too keep their type.
    func matrix(_ node: SourceNode, _ variables: [Variable]) -> Matrix {
        var matrix = Matrix(location: node.location)
        let shape = "a mapping of variables to lists of values, with `include` and `exclude` if need be"
        noteLocation("matrix", node.location)
        guard case .map(let entries) = node.value else {
            wrongType(node, "matrix", expected: shape)
            return matrix
        }
        var (include, exclude): (SourceNode?, SourceNode?)
        for entry in entries {
            if entry.isRepeated {
                report(entry.location, "`\(entry.key)` stands twice in `matrix`", expected: "each key once")
            } else if entry.key == "include" {
                include = entry.value
            } else if entry.key == "exclude" {
                exclude = entry.value
            } else if checkName(entry, "an axis") {
                let declared = variables.first { $0.name == entry.key }
                var values: [String] = []
                for item in list(entry.value, "matrix.\(entry.key)", expected: "a list of values") {
                    if let value = matrixValue(item.node, item.path, declared) { values.append(value) }
                }
                unique(values, "matrix.\(entry.key)", "value")
                if case .list(let items) = entry.value.value, items.isEmpty {
                    report(entry.value.location, "`matrix.\(entry.key)` is empty", expected: "a list of values")
                }
                matrix.axes.append(.init(name: entry.key, values: values, location: entry.location))
            }
        }
        if matrix.axes.isEmpty { report(node.location, "`matrix` has no axis", expected: shape) }
        matrix.cells = cells(of: matrix, at: node.location)
        if let exclude { remove(exclude, from: &matrix) }
        if let include { add(include, to: &matrix, variables) }
        if matrix.cells.isEmpty, !hasErrors { report(node.location, "`matrix` leaves no image to build", expected: "fewer entries in `exclude`") }
        return matrix
    }

    private func matrixValue(_ node: SourceNode, _ path: String, _ declared: Variable?) -> String? {
        guard let text = text(node, path, expected: declared?.allowed ?? "a value") else { return nil }
        literal(node)
        if let declared, !declared.accepts(text) {
            report(node.location, "`\(path)` is \(node.found)", expected: declared.allowed, nearest: declared.nearest(text))
        }
        return text
    }

    private func cells(of matrix: Matrix, at place: SourceLocation) -> [Matrix.Cell] {
        var cells = [Matrix.Cell(values: [:])]
        for axis in matrix.axes {
            if cells.count * axis.values.count > Matrix.limit {
                report(place, "`matrix` makes more than \(Matrix.limit) images", expected: "fewer values")
                return []
            }
            cells = cells.flatMap { cell in axis.values.map { Matrix.Cell(values: cell.values.merging([axis.name: $0]) { $1 }) } }
        }
        return matrix.axes.isEmpty ? [] : cells
    }

    private func remove(_ node: SourceNode, from matrix: inout Matrix) {
        for item in list(node, "matrix.exclude", expected: "a list of { axis: value }") {
            guard let entry = cell(item.node, item.path, matrix, []), !entry.isEmpty else { continue }
            let rest = matrix.cells.filter { cell in !entry.allSatisfy { cell.values[$0.key] == $0.value } }
            if rest.count == matrix.cells.count, !hasErrors {
                report(item.node.location, "this entry of `matrix.exclude` takes nothing away", expected: "values that the axes have together")
            }
            matrix.cells = rest
        }
    }

    private func add(_ node: SourceNode, to matrix: inout Matrix, _ variables: [Variable]) {
        for item in list(node, "matrix.include", expected: "a list of { axis: value }") {
            guard let entry = cell(item.node, item.path, matrix, variables) else { continue }
            let missing = matrix.axes.filter { entry[$0.name] == nil }.map(\.name)
            if !missing.isEmpty {
                report(
                    item.node.location, "this entry of `matrix.include` has no \(missing.map { "`\($0)`" }.joined(separator: ", "))",
                    expected: "a value of each axis")
                continue
            }
            let axes = Set(matrix.axes.map(\.name))
            if matrix.cells.contains(where: { cell in axes.allSatisfy { cell.values[$0] == entry[$0] } }) {
                report(item.node.location, "this entry of `matrix.include` is there already", expected: "values that the axes do not have together")
                continue
            }
            matrix.cells.append(.init(values: entry))
        }
    }

    private func cell(_ node: SourceNode, _ path: String, _ matrix: Matrix, _ variables: [Variable]) -> [String: String]? {
        guard case .map(let entries) = node.value else {
            wrongType(node, path, expected: "a mapping such as { \(matrix.axes.first?.name ?? "axis"): value }")
            return nil
        }
        let names = matrix.axes.map(\.name) + variables.map(\.name).filter { name in !matrix.axes.contains { $0.name == name } }
        var values: [String: String] = [:]
        for entry in entries {
            guard names.contains(entry.key), !entry.isRepeated else {
                report(
                    entry.location, entry.isRepeated ? "`\(entry.key)` stands twice in `\(path)`" : "`\(entry.key)` is no axis of the matrix",
                    expected: names.joined(separator: ", "), nearest: Spelling.nearest(to: entry.key, among: names))
                continue
            }
            values[entry.key] = matrixValue(entry.value, "\(path).\(entry.key)", variables.first { $0.name == entry.key })
        }
        return values
    }
}
