import Foundation
import Linux
import Recipes

/// The folder that a package layer's script and this host share while it runs: the lock goes in, what was found comes out. It is never on the disk.
final class PackageExchange: Sendable {
    /// A machine writes these: no more than this is believed of them.
    private static let limit = 8 << 20

    private let scratch: ScratchFolder
    private var folder: String { scratch.path + "/exchange" }

    init(_ work: PlanStep.PackageWork, home: String) throws {
        scratch = try ScratchFolder(home: home, purpose: "packages")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        // The folder above is this user's alone; in the machine it is root's, who is another user here.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
        try write("previous", work.previous)
        if let locked = work.locked { try write("lock", locked) }
    }

    /// Host's folders by where they are in the machine.
    func binds(_ work: PlanStep.PackageWork) -> [String: String] {
        var binds = [folder: PackageScript.exchange]
        if let registry = work.registryFolder { binds[registry] = PackageScript.registryFolder(work.request.manager.name) }
        return binds
    }

    private func write(_ name: String, _ lines: [String]) throws {
        try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
    }

    /// The lines of a file that the script wrote; none when it wrote none.
    func lines(_ name: String) throws -> [String] {
        let root = try RootedFolder(folder)
        guard try root.attributes(name) != nil else { return [] }
        let text = String(decoding: try root.read(name, limit: Self.limit), as: UTF8.self)
        return text.split(separator: "\n").map { String(String.UnicodeScalarView($0.unicodeScalars.filter { $0.value >= 32 })) }
    }
}
