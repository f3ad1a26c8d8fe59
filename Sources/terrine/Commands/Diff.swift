import ArgumentParser
import Images
import Trees

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Tell which files differ between two images.",
        discussion: "The largest come first. Times do not count.")

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
        var files: [TreeDifference.Entry]
    }

    func run() throws {
        let images = try global.images()
        let (before, after) = (try images.resolve(old), try images.resolve(new))
        let entries = try TreeDifference(from: before.tree(in: images), to: after.tree(in: images)).entries
        let files = entries.sorted { ($1.weight, $0.path) < ($0.weight, $1.path) }
        let result = Result(
            old: .init(image: old, digest: before.digest.description), new: .init(image: new, digest: after.digest.description), sums: Self.sums(files),
            files: files)
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
        return [head, TextTable.render(["CHANGE", "SIZE", "WHAT", "PATH"], rows)].joined(separator: "\n\n")
            + (rest > 0 ? "\n… and \(rest) more: --all or --json shows them" : "")
    }
}
