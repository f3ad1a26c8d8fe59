/// How many other projects of a suite ask for a package: those that everybody uses are what is meant.
///
/// A project's own packages do not count: the forty parts of a library that ask for each other say nothing of it.
struct PackageUses {
    private var sources: [String: String] = [:]
    private var askers: [String: Set<String>] = [:]
    private var package = ""
    private var source = ""
    private var wishes: [String] = []

    /// Reads a `Packages` index of an archive, in parts of whole lines.
    mutating func read(_ bytes: UnsafeRawBufferPointer) {
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) { take(line) }
    }

    private static let packageField = Array("Package: ".utf8)
    private static let sourceField = Array("Source: ".utf8)
    private static let wishFields = ["Depends: ", "Pre-Depends: ", "Recommends: "].map { Array($0.utf8) }

    private mutating func take(_ line: Slice<UnsafeRawBufferPointer>) {
        if line.starts(with: Self.packageField) {
            end()
            package = word(line.dropFirst(Self.packageField.count))
            source = package
        } else if line.starts(with: Self.sourceField) {
            source = word(line.dropFirst(Self.sourceField.count))
        } else if let field = Self.wishFields.first(where: line.starts) {
            // Of `a (>= 1) | b` the first is what is installed.
            wishes += line.dropFirst(field.count).split(separator: UInt8(ascii: ",")).map(word)
        }
    }

    private func word(_ text: Slice<UnsafeRawBufferPointer>) -> String {
        let name = text.drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "|") }
        return String(decoding: name, as: UTF8.self)
    }

    private mutating func end() {
        if package.isEmpty { return }
        sources[package] = source
        for wish in wishes { askers[wish, default: []].insert(source) }
        (package, wishes) = ("", [])
    }

    /// By package, once all is read.
    mutating func counts() -> [String: Int] {
        end()
        return Dictionary(
            uniqueKeysWithValues: askers.map { package, askers in (package, askers.count - (askers.contains(sources[package] ?? package) ? 1 : 0)) })
    }
}
