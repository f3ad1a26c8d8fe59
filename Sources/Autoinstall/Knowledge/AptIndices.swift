import Builder
import Foundation

/// The indices of a Debian suite, fetched by this host's apt into a folder apart: what the host has of lists and caches stays as it is.
///
/// apt checks signatures and hashes. Sources are those that a build of the suite uses: the host's own where it has the suite, else the distribution's.
struct AptIndices {
    let suite: String
    /// In Debian's words.
    let architecture: String
    let folder: String
    /// Lines of sources.list in the place of the host's.
    var ownSources: [String]?

    /// Compressed as apt keeps them.
    struct Files {
        let contents: [String]
        let packages: [String]
    }

    func fetch() throws -> Files {
        let lists = folder + "/lists"
        for path in [lists + "/partial", folder + "/cache/archives/partial"] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        try sourceLines().write(toFile: folder + "/sources.list", atomically: false, encoding: .utf8)
        let target = "Acquire::IndexTargets::deb::Contents-deb"
        let options = [
            "Dir::State::lists=\(lists)", "Dir::Cache=\(folder)/cache", "Dir::Etc::sourcelist=\(folder)/sources.list", "Dir::Etc::sourceparts=-",
            "APT::Architecture=\(architecture)", "APT::Architectures=\(architecture)", "Acquire::Languages=none",
            "\(target)::MetaKey=$(COMPONENT)/Contents-$(ARCHITECTURE)", "\(target)::ShortDescription=Contents-$(ARCHITECTURE)",
            "\(target)::Description=$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents", "\(target)::KeepCompressed=true", "\(target)::DefaultEnabled=true",
        ]
        try AptProgram.run("apt-get", ["--quiet"] + options.flatMap { ["-o", $0] } + ["update"], purpose: "fetch the package indices of \(suite)")
        let names = try FileManager.default.contentsOfDirectory(atPath: lists).sorted()
        let contents = names.filter { $0.contains("_Contents-") }
        if contents.isEmpty {
            throw AutoinstallError(
                "noContents", "the archive of \(suite) that this host uses has no Contents index for \(architecture)",
                fix: "give this host's apt a source of \(suite) that has one")
        }
        return Files(contents: contents.map { "\(lists)/\($0)" }, packages: names.filter { $0.contains("_Packages") }.map { "\(lists)/\($0)" })
    }

    /// Lines of sources.list.
    func sourceLines() -> String {
        if let ownSources { return ownSources.joined(separator: "\n") + "\n" }
        let own = AptSources.host().lines(suite: suite).filter { $0.hasSuffix(" \(suite) main") }
        if !own.isEmpty { return own.joined(separator: "\n") + "\n" }
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
        let option = FileManager.default.fileExists(atPath: keyring) ? "deb [signed-by=\(keyring)] " : "deb "
        let lines = DebianBootstrap.distributionSources(suite).split(separator: "\n").filter { $0.hasSuffix(" \(suite) main") }
        return lines.map { option + $0.dropFirst(4) + "\n" }.joined()
    }
}
