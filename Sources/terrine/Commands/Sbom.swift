import ArgumentParser
import Foundation
import Images
import Reports
import Trees

struct Sbom: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sbom", abstract: "Write the bill of materials of an image: all software that is in it.",
        discussion:
            "Found are Debian packages, Python distributions, npm modules, crates of Cargo.lock files, modules of Go programs, and git clones. The image is read, not "
            + "mounted. The same image gives the same bytes; the time in it is SOURCE_DATE_EPOCH, or else a constant.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.")
    var image: String

    @Option(help: "spdx (SPDX 2.3, JSON) or cyclonedx (CycloneDX 1.5, JSON).")
    var format = BillFormat.spdx

    @Option(name: .shortAndLong, help: ArgumentHelp("Write it there; on the output if you name no file.", valueName: "file"))
    var output: String?

    private struct Result: Encodable {
        var image: String
        var format: String
        var output: String
        var packages: Int
    }

    func validate() throws {
        if global.json, output == nil { throw ValidationError("--json tells what became of --output FILE; without that, the bill itself is the output") }
    }

    func run() throws {
        let images = try global.images()
        let found = try images.resolve(image)
        let inventory = try PackageInventory(found.tree(in: images))
        for note in inventory.notes { global.note("warning: \(note)") }
        let bytes = try format.document(of: found, called: image, inventory)
        guard let output else {
            FileHandle.standardOutput.write(Data(bytes))
            return
        }
        try ReportFile.write(bytes, to: output)
        let count = inventory.packages.count
        try global.print(Result(image: found.digest.description, format: format.rawValue, output: output, packages: count)) {
            "\(output): \(count) packages"
        }
    }
}

enum BillFormat: String, ExpressibleByArgument, CaseIterable {
    case spdx, cyclonedx

    /// - Parameter name: what the image is called; a digest has no name to give.
    func document(of image: Image, called name: String, _ inventory: PackageInventory) throws -> [UInt8] {
        let recipe = image.machine.recipe
        var facts: [String: String] = [:]
        facts["recipe"] = recipe
        facts["step"] = image.step
        facts["cacheKey"] = image.cacheKey
        facts["treeDigest"] = image.treeDigest
        facts["parent"] = image.parent?.description
        for (key, value) in image.labels { facts["label." + key] = value }
        let subject = BillSubject(
            name: recipe ?? "image", digest: image.digest.hex, layers: image.layers.map(\.hex), hasBase: image.parent != nil, facts: facts)
        let bill = try BillOfMaterials(
            subject, inventory, toolVersion: Version.text, sourceDate: ProcessInfo.processInfo.environment["SOURCE_DATE_EPOCH"])
        return switch self {
        case .spdx: try SPDXDocument(bill).bytes
        case .cyclonedx: try CycloneDXDocument(bill).bytes
        }
    }
}
