/// The texts that a recipe is put together from, in the order in which they were read: the recipe itself first.
final class RecipeFiles {
    private(set) var order: [String] = []
    private var sources: [String: RecipeSource] = [:]

    init(_ source: RecipeSource) { add(source) }

    func add(_ source: RecipeSource) {
        if sources.updateValue(source, forKey: source.file) == nil { order.append(source.file) }
    }

    /// The recipe's own file.
    var main: String { order.first ?? "" }

    /// By file as it is shown.
    var texts: [String: String] { sources.mapValues(\.text) }

    /// The line at a place. What is of no file, such as `--set key=value`, shows itself.
    func line(at location: SourceLocation) -> String? {
        guard let source = sources[location.file] else { return location.file }
        return source.line(location.line)
    }

    /// Where `part` stands in the value that begins at `location`; the value's own place when it is not written like that.
    func place(of part: String, in location: SourceLocation) -> SourceLocation {
        guard let source = sources[location.file] else { return location }
        // A value that goes over more lines than this is no place to point into.
        for number in location.line..<(location.line + 50) {
            guard let line = source.line(number) else { break }
            let scalars = Array(line.unicodeScalars)
            let word = Array(part.unicodeScalars)
            var column = number == location.line ? location.column - 1 : 0
            while column + word.count <= scalars.count {
                if scalars[column..<(column + word.count)].elementsEqual(word) { return source.location(number, column + 1) }
                column += 1
            }
        }
        return location
    }

    /// How a place is told from another one: its line in the same file, else all of it.
    static func shown(_ place: SourceLocation, from other: SourceLocation) -> String {
        place.file == other.file ? "on line \(place.line)" : "at \(place.file):\(place.line):\(place.column)"
    }

    /// For sorting: in the order of the files, what is of none of them last.
    func rank(_ file: String) -> Int { order.firstIndex(of: file) ?? order.count }
}
