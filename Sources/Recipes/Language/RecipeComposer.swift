import Foundation

/// Puts a recipe together: what it extends, the fragments that it includes, and itself.
///
/// Works on trees, so that every value keeps the place where it was written; what the keys mean is the decoder's.
struct RecipeComposer {
    static let depthLimit = 8
    /// What only a whole recipe says.
    static let ofWholeRecipes = ["name", "base", "description", "extends", "matrix"]

    let decoder: RecipeDecoder
    let images: (any RecipeImages)?
    /// Files outside this folder are not read: the repository that the recipe lies in.
    let boundary: String

    private var files: RecipeFiles { decoder.files }

    enum Kind { case recipe, fragment, parent }

    /// A tree with everything that it names merged into it.
    ///
    /// - Parameters:
    ///   - place: where the file lies, for what it names relative to itself.
    ///   - chain: the files that led here.
    ///   - seen: the fragments that are part of the recipe already.
    func composed(_ root: SourceNode, _ kind: Kind, at place: RecipePlace, chain: [RecipePlace], seen: inout Set<RecipePlace>) -> SourceNode {
        guard case .map(let entries) = root.value else { return root }
        var own: [SourceNode.Entry] = []
        var fragments: [SourceNode] = []
        var parent: SourceNode?
        for entry in entries {
            switch entry.key {
            case _ where entry.isRepeated: own.append(entry)
            case let key where kind == .fragment && Self.ofWholeRecipes.contains(key):
                decoder.report(
                    entry.location, "a fragment cannot say `\(key)`: only a whole recipe does", expected: "what recipes share, such as packages, env and steps")
            case "version" where kind != .recipe: checkVersion(entry.value)
            case "include": fragments += included(entry.value, at: place, chain: chain, seen: &seen)
            case "extends": parent = extended(entry.value, at: place, chain: chain)
            default: own.append(entry)
            }
        }
        var tree = SourceNode(value: .map(own), location: root.location)
        if !fragments.isEmpty {
            let merge = TreeMerge(decoder: decoder, rule: .include)
            let all = fragments.dropFirst().reduce(fragments[0]) { merge.merged($0, $1, "") }
            tree = merge.merged(all, tree, "").at(root.location)
        }
        if let parent { tree = TreeMerge(decoder: decoder, rule: .extend).merged(parent, tree, "").at(root.location) }
        return tree
    }

    private func checkVersion(_ node: SourceNode) {
        if case .scalar("1", _) = node.value { return }
        decoder.report(node.location, "`version` is \(node.found)", expected: "1, the only version so far")
    }

    // MARK: include

    private func included(_ node: SourceNode, at place: RecipePlace, chain: [RecipePlace], seen: inout Set<RecipePlace>) -> [SourceNode] {
        let items: [(node: SourceNode, path: String)]
        if case .list = node.value { items = decoder.list(node, "include", expected: "") } else { items = [(node, "include")] }
        var named: Set<RecipePlace> = []
        var out: [SourceNode] = []
        for item in items {
            guard let target = target(item.node, item.path, at: place, .include) else { continue }
            if !named.insert(target).inserted {
                decoder.report(item.node.location, "`\(target.shown)` is included twice here", expected: "each fragment once")
                continue
            }
            // Two fragments may need the same third one: it counts once.
            if seen.contains(target) { continue }
            guard let tree = read(target, .fragment, item.node.location, chain: chain, seen: &seen) else { continue }
            seen.insert(target)
            out.append(tree)
        }
        return out
    }

    // MARK: extends

    private func extended(_ node: SourceNode, at place: RecipePlace, chain: [RecipePlace]) -> SourceNode? {
        guard let target = target(node, "extends", at: place, .extends) else { return nil }
        var seen: Set<RecipePlace> = []
        guard let tree = read(target, .parent, node.location, chain: chain, seen: &seen) else { return nil }
        guard case .map(let entries) = node.value, let without = entries.first(where: { $0.key == "without" }) else { return tree }
        return TreeRemoval(decoder: decoder, parent: target.shown).applied(without.value, to: tree)
    }

    // MARK: Reading

    /// The file that an entry of `include`, or `extends`, names.
    private func target(_ node: SourceNode, _ path: String, at place: RecipePlace, _ schema: RecipeSchema) -> RecipePlace? {
        if case .scalar = node.value {
            guard let file = decoder.text(node, path, expected: "a file, or { image, path }") else { return nil }
            return local(file, node.location, path, at: place)
        }
        guard let fields = decoder.fields(node, schema, path) else { return nil }
        let (file, image) = (fields.text("file"), fields.text("image"))
        let inside = fields.machinePath("path")
        switch (fields.node("file"), fields.node("image")) {
        case (.some(let node), nil):
            if let path = fields.node("path") {
                decoder.report(path.location, "`path` is a path in an image, and there is no `image`", expected: "file alone, or image and path")
            }
            return file.flatMap { local($0, node.location, fields.path("file"), at: place) }
        case (nil, .some(let node)):
            guard let images else {
                decoder.report(node.location, "an image cannot be read here", expected: "a file")
                return nil
            }
            if fields.node("path") == nil, schema.noun != RecipeSchema.extends.noun {
                decoder.report(node.location, "a fragment of an image needs `path`", expected: "path: where the fragment is in the image")
                return nil
            }
            guard let image else { return nil }
            if fields.node("path") != nil { return inside.map { .image(name: image, path: $0) } }
            do {
                return .image(name: image, path: try images.workspace(ofImage: image) + "/" + Recipe.fileName)
            } catch {
                decoder.report(node.location, "cannot read the image `\(image)`: \(error)", expected: "an image that a recipe made, or `path`")
                return nil
            }
        default:
            decoder.report(node.location, "`\(path)` needs either `file` or `image`", expected: schema.allowed)
            return nil
        }
    }

    private func local(_ path: String, _ location: SourceLocation, _ key: String, at place: RecipePlace) -> RecipePlace? {
        let expected = "a file, relative to \(place.shown)"
        if let problem = Quantities.hostPathProblem(path) {
            decoder.report(location, "`\(key)` is `\(path)`: \(problem)", expected: expected)
            return nil
        }
        guard case .host(let from, let shown) = place else { return place.sibling(path) }
        let full = HostPath.join(HostPath.parent(from), path)
        guard HostPath.isInside(HostPath.real(full), HostPath.real(boundary)) else {
            decoder.report(location, "`\(key)` is `\(path)`, outside the repository", expected: expected)
            return nil
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: full, isDirectory: &isFolder), !isFolder.boolValue else {
            // A folder that cannot be listed has no near names to offer.
            let names = (try? FileManager.default.contentsOfDirectory(atPath: HostPath.parent(full)))?.sorted() ?? []
            let near =
                isFolder.boolValue ? nil : Spelling.nearest(to: HostPath.name(full), among: names).map { String(path.dropLast(HostPath.name(path).count)) + $0 }
            decoder.report(
                location, "`\(key)` names `\(path)`, which is \(isFolder.boolValue ? "a folder" : "not there")", expected: expected, nearest: near)
            return nil
        }
        return .host(path: full, shown: RecipePlace.shown(path, beside: shown))
    }

    private func read(_ target: RecipePlace, _ kind: Kind, _ location: SourceLocation, chain: [RecipePlace], seen: inout Set<RecipePlace>) -> SourceNode? {
        if let start = chain.firstIndex(of: target) {
            let loop = (chain[start...] + [target]).map(\.shown).joined(separator: " -> ")
            decoder.report(location, "this goes round in a circle: \(loop)", expected: "a file that does not lead back here")
            return nil
        }
        if chain.count > Self.depthLimit {
            decoder.report(location, "files are named more than \(Self.depthLimit) deep", expected: "fewer fragments of fragments")
            return nil
        }
        do {
            let source = RecipeSource(file: target.shown, text: try text(of: target, location))
            files.add(source)
            let root = try source.root()
            guard case .map = root.value else {
                decoder.report(
                    root.location, "\(kind == .fragment ? "the fragment" : "the recipe") is \(root.found)",
                    expected: "a mapping with: \(RecipeSchema.recipe.allowed)")
                return nil
            }
            return composed(root, kind, at: target, chain: chain + [target], seen: &seen)
        } catch let error as RecipeDiagnostics {
            for diagnostic in error.diagnostics { decoder.add(diagnostic) }
        } catch {
            decoder.report(location, "cannot read `\(target.shown)`: \(error)")
        }
        return nil
    }

    private func text(of target: RecipePlace, _ location: SourceLocation) throws -> String {
        let bytes: [UInt8]
        switch target {
        case .host(let path, let shown):
            guard let data = FileManager.default.contents(atPath: path) else { throw RecipeError("unreadable", "cannot read \(shown)") }
            bytes = Array(data)
        case .image(let name, let path):
            guard let images else { throw RecipeError("unreadable", "an image cannot be read here") }
            bytes = try images.file(path, ofImage: name)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RecipeDiagnostics([Diagnostic(at: location, "`\(target.shown)` is not UTF-8 text", source: files.line(at: location))])
        }
        return text
    }
}

extension SourceNode {
    func at(_ location: SourceLocation) -> SourceNode { SourceNode(value: value, location: location) }
}
