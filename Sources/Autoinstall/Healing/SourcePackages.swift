import Builder
import Foundation
import Recipes

/// What the distribution builds its own package of a project with: asked for by `--use-distro-packaging`, and by nothing else.
struct SourcePackages {
    let suite: String
    /// TERRINE_HOME.
    let home: String

    struct Found: Equatable {
        let source: String
        let buildDepends: [String]
    }

    /// The first source package that goes by one of these names.
    ///
    /// - Throws: ``AutoinstallError`` when apt cannot get the index of sources.
    func find(_ names: [String]) throws -> Found? {
        let scratch = "\(home)/knowledge/fetch-\(UUID().uuidString.prefix(8))"
        // What cannot be removed now costs space, and nothing else.
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let indices = AptIndices(suite: suite, architecture: "", folder: scratch)
        var stanza: [String: String] = [:]
        var last = ""
        var found: [String: Found] = [:]
        func end() {
            if let name = stanza["Package"], names.contains(name) { found[name] = Found(source: name, buildDepends: Self.names(stanza)) }
            (stanza, last) = ([:], "")
        }
        for file in try indices.sources() {
            try AptProgram.lines(of: file) { bytes in
                for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
                    if line.isEmpty {
                        end()
                    } else if line.first == " " {
                        stanza[last]? += String(line)
                    } else if let colon = line.firstIndex(of: ":") {
                        last = String(line[..<colon])
                        if ["Package", "Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep"].contains(last) {
                            stanza[last] = String(line[line.index(after: colon)...].trimmingSpaces)
                        }
                    }
                }
            }
            end()
        }
        return names.lazy.compactMap { found[$0] }.first
    }

    /// Of alternatives the first; what is for other architectures or other builds, and the tools of packaging, are left out.
    static func names(_ stanza: [String: String]) -> [String] {
        let fields = ["Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep"].compactMap { stanza[$0] }
        let names = fields.flatMap { $0.split(separator: ",") }.compactMap { entry -> String? in
            let first = entry.split(separator: "|").first?.trimmingSpaces ?? ""
            let isOther = first.contains("[") && !first.contains("linux-any") && !first.contains(Recipe.hostArchitecture) && !first.contains("[!")
            if isOther || first.contains("<!nocheck>") == false && first.contains("<") && !first.contains("<!") { return nil }
            let name = first.prefix { !" (:[<".contains($0) }
            return name.isEmpty || name.hasPrefix("debhelper") || name.hasPrefix("dh-") || name == "dpkg-dev" ? nil : String(name)
        }
        return Array(Set(names)).sorted()
    }

    /// How a project of this name is called as a package: by itself, or by its language's custom.
    static func candidates(_ name: String) -> [String] {
        let small = name.lowercased()
        // A folder often has the version behind the name.
        let bare =
            small.firstIndex(of: "-").flatMap { _ in
                small.range(of: #"[-_]v?\d[\w.+-]*$"#, options: .regularExpression).map { String(small[..<$0.lowerBound]) }
            } ?? small
        let dashed = bare.replacing("_", with: "-").replacing("::", with: "-")
        return [
            bare, dashed, "python-\(dashed)", "lib\(dashed)", "lib\(dashed)-perl", "ruby-\(dashed)", "node-\(dashed)", "golang-\(dashed)", "rust-\(dashed)",
        ]
            + (dashed.hasPrefix("python-") ? [String(dashed.dropFirst(7))] : [])
    }
}

extension AptIndices {
    /// The suite's indices of source packages, as apt keeps them.
    fileprivate func sources() throws -> [String] {
        let lists = folder + "/lists"
        for path in [lists + "/partial", folder + "/cache/archives/partial"] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        let lines = sourceLines().split(separator: "\n").map { $0.hasPrefix("deb ") ? "deb-src " + $0.dropFirst(4) : String($0) }
        try (lines.joined(separator: "\n") + "\n").write(toFile: folder + "/sources.list", atomically: false, encoding: .utf8)
        let options = [
            "Dir::State::lists=\(lists)", "Dir::Cache=\(folder)/cache", "Dir::Etc::sourcelist=\(folder)/sources.list", "Dir::Etc::sourceparts=-",
            "Acquire::Languages=none", "Acquire::GzipIndexes=true",
        ]
        try AptProgram.run("apt-get", ["--quiet"] + options.flatMap { ["-o", $0] } + ["update"], purpose: "fetch the index of sources of \(suite)")
        return try FileManager.default.contentsOfDirectory(atPath: lists).sorted().filter { $0.contains("_Sources") }.map { "\(lists)/\($0)" }
    }
}
