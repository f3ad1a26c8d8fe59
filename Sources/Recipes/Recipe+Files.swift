import Foundation

/// Which files are recipes.
extension Recipe {
    /// The recipe's file for a file, or a folder with `terrine.yaml`.
    public static func file(at path: String) throws -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw RecipeError("notFound", "there is no recipe at \(path)", fix: "write one with `terrine init`")
        }
        if !isFolder.boolValue { return path }
        let file = inside(path, fileName)
        if FileManager.default.fileExists(atPath: file) { return file }
        let more = files(ofRepository: path)
        if !more.isEmpty {
            throw RecipeError(
                "notFound", "there is no \(fileName) in \(path), but \(more.joined(separator: ", "))", fix: "name one of them, or say --all")
        }
        let names = ["terrine.yml", "Terrine.yaml", ".terrine.yaml"]
        let other = names.first { FileManager.default.fileExists(atPath: HostPath.join(HostPath.absolute(path), $0)) }
        throw RecipeError(
            "notFound", "there is no \(fileName) in \(path)",
            fix: other.map { "rename \($0) to \(fileName)" } ?? "write one with `terrine init \(path)`")
    }

    /// The recipes of a repository, by path as seen from where `path` is: `terrine.yaml` first, then `.terrine/*.yaml` by name.
    public static func files(ofRepository path: String) -> [String] {
        let main = inside(path, fileName)
        // A repository without such a folder has no more recipes.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: inside(path, folderName)))?.sorted() ?? []
        let more = names.filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }.map { inside(path, "\(folderName)/\($0)") }
        return (FileManager.default.fileExists(atPath: main) ? [main] : []) + more
    }

    /// Where a recipe's relative paths begin: its own folder, or for one in `.terrine` the folder above that.
    public static func folder(ofFile file: String) -> String {
        let folder = HostPath.parent(HostPath.absolute(file))
        return HostPath.name(folder) == folderName ? HostPath.parent(folder) : folder
    }

    /// A recipe's or a fragment's text.
    public static func text(of file: String) throws -> String {
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw RecipeError("unreadable", "cannot read \(file)", fix: "check its permissions")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RecipeDiagnostics([Diagnostic(at: SourceLocation(file: file, line: 1, column: 1), "the file is not UTF-8 text")])
        }
        return text
    }

    private static func inside(_ folder: String, _ name: String) -> String { folder == "." ? name : (folder.hasSuffix("/") ? folder : folder + "/") + name }
}
