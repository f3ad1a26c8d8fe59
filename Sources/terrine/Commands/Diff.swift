import ArgumentParser
import Images
import Trees

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Tell which files and packages differ between two images.",
        discussion: "The largest files come first. Times do not count.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("The image before.", valueName: "old"))
    var old: String

    @Argument(help: ArgumentHelp("The image after.", valueName: "new"))
    var new: String

    @Flag(name: .shortAndLong, help: "Every file; else the first 40.")
    var all = false

    private struct Result: Encodable {
        struct Side: Encodable {
            var image: String
            var digest: String
        }
        struct Sums: Encodable {
            var added = 0
            var removed = 0
            var changed = 0
            var addedBytes: Int64 = 0
            var removedBytes: Int64 = 0
            /// What changed files have more than before.
            var grownBytes: Int64 = 0
        }
        var old: Side
        var new: Side
        var sums: Sums
        var packages: [PackageDifference.Entry]
        var files: [TreeDifference.Entry]
    }

    func run() throws {
        let images = try global.images()
        let (before, after) = (try images.resolve(old), try images.resolve(new))
        let trees = (try before.tree(in: images), try after.tree(in: images))
        let entries = try TreeDifference(from: trees.0, to: trees.1).entries
        let packages = try entries.isEmpty ? [] : PackageDifference(from: PackageInventory(trees.0), to: PackageInventory(trees.1)).entries
        let files = entries.sorted { ($1.weight, $0.path) < ($0.weight, $1.path) }
        let result = Result(
            old: .init(image: old, digest: before.digest.description), new: .init(image: new, digest: after.digest.description), sums: Self.sums(files),
            packages: packages, files: files)
        try global.print(result) { page(result) }
    }

    private static func sums(_ files: [TreeDifference.Entry]) -> Result.Sums {
        var sums = Result.Sums()
        for file in files {
            let (before, after) = (file.oldBytes ?? 0, file.newBytes ?? 0)
            switch file.change {
            case .added:
                sums.added += 1
                sums.addedBytes += after
            case .removed:
                sums.removed += 1
                sums.removedBytes += before
            case .changed:
                sums.changed += 1
                sums.grownBytes += after - before
            }
        }
        return sums
    }

    private func page(_ result: Result) -> String {
        let sums = result.sums
        if result.files.isEmpty { return "the files of both are the same" }
        func signed(_ bytes: Int64) -> String { (bytes < 0 ? "-" : "+") + bytesText(abs(bytes)) }
        let head =
            "files: \(sums.added) added (\(bytesText(sums.addedBytes))), \(sums.removed) removed (\(bytesText(sums.removedBytes))), "
            + "\(sums.changed) changed (\(signed(sums.grownBytes)))"
        let shown = all ? result.files[...] : result.files.prefix(40)
        let rows = shown.map { file -> [String] in
            let size =
                switch (file.oldBytes, file.newBytes) {
                case (let before?, let after?) where before != after: "\(bytesText(before)) -> \(bytesText(after))"
                case (let before, let after): (after ?? before).map(bytesText) ?? file.kind
                }
            return [file.change.rawValue, size, file.what.joined(separator: ","), "/" + file.path]
        }
        let rest = result.files.count - shown.count
        let more = rest > 0 ? "\n… and \(rest) more: --all or --json shows them" : ""
        return [head, packages(result.packages), TextTable.render(["CHANGE", "SIZE", "WHAT", "PATH"], rows) + more].compactMap { $0 }.joined(separator: "\n\n")
    }

    private func packages(_ packages: [PackageDifference.Entry]) -> String? {
        if packages.isEmpty { return nil }
        func count(_ change: PackageDifference.Entry.Change) -> Int { packages.filter { $0.change == change }.count }
        let rows = packages.map { [$0.ecosystem.rawValue, $0.name, $0.oldVersion ?? "-", $0.newVersion ?? "-", $0.architecture ?? ""] }
        return "packages: \(count(.added)) added, \(count(.removed)) removed, \(count(.changed)) changed\n\n"
            + TextTable.render(["KIND", "PACKAGE", "OLD", "NEW", "ARCHITECTURE"], rows)
    }
}
