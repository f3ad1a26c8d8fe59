import Foundation
import Linux
import TestSupport
import Testing

@testable import Reports
@testable import Trees

@Suite("Bills of materials")
struct BillTests {
    static let subject = BillSubject(
        name: "shop-api", digest: String(repeating: "ab", count: 32), layers: [String(repeating: "cd", count: 32), String(repeating: "ef", count: 32)],
        hasBase: true, facts: ["recipe": "shop-api", "step": "workspace"])

    @Test("the same image gives the same bytes, and another time only when SOURCE_DATE_EPOCH says so")
    func deterministic() throws {
        let tree = try FileTree.host(["/usr/share/doc/bash": "usr/share/doc/bash", "/etc/apt": "etc/apt"])
        let inventory = try PackageInventory(tree)
        func spdx(_ date: String?) throws -> [UInt8] {
            try SPDXDocument(BillOfMaterials(Self.subject, inventory, toolVersion: "1", sourceDate: date)).bytes
        }
        #expect(try spdx(nil) == spdx(nil))
        #expect(String(decoding: try spdx(nil), as: UTF8.self).contains(#""created" : "2023-11-14T22:13:20Z""#))
        #expect(String(decoding: try spdx("0"), as: UTF8.self).contains(#""created" : "1970-01-01T00:00:00Z""#))
        #expect(try spdx("0") != spdx(nil))
        #expect(throws: ReportError.self) { try spdx("yesterday") }
    }

    @Test("package URLs are in their one canonical form")
    func urls() {
        var package = InstalledPackage(.debian, name: "libstdc++6", version: "1:12.2.0-14+deb12u1~x", path: "p")
        package.architecture = "amd64"
        package.source = .init(name: "gcc-12", version: "12.2.0")
        let system = SystemRelease(Array("ID=debian\nVERSION_ID=12\n".utf8))
        #expect(
            PackageURL.of(package, system: system)
                == "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1~x?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2.0")
        #expect(PackageURL.of(InstalledPackage(.node, name: "@scope/x", version: "1.0.0", path: "p"), system: nil) == "pkg:npm/%40scope/x@1.0.0")
        #expect(PackageURL.of(InstalledPackage(.python, name: "Foo_Bar", version: "1", path: "p"), system: nil) == "pkg:pypi/foo-bar@1")
        #expect(
            PackageURL.of(InstalledPackage(.go, name: "github.com/A/b", version: "v1.0.0+incompatible", path: "p"), system: nil)
                == "pkg:golang/github.com/a/b@v1.0.0%2Bincompatible")
    }

    @Test("the formats' own validators accept the bill of all that is on this host", .enabled(if: PythonTools.met))
    func validators() throws {
        let tools = try #require(PythonTools.programs)
        // Hundreds of real packages, with all that maintainers write into licence fields; and a virtual environment of real distributions.
        let tree = try FileTree.host([
            "/usr/share/doc": "usr/share/doc", "/usr/lib/python3": "usr/lib/python3", tools + "/../lib": "opt/venv/lib",
        ])
        add(tree)
        // Every third of them: the validator takes its time.
        let status = try String(contentsOfFile: "/var/lib/dpkg/status", encoding: .utf8).components(separatedBy: "\n\n")
        add(tree, ["var", "lib", "dpkg", "status"], status.indices.filter { $0 % 3 == 0 }.map { status[$0] }.joined(separator: "\n\n"))
        let inventory = try PackageInventory(tree)
        #expect(inventory.packages.count { $0.ecosystem == .debian } > 50)
        #expect(inventory.packages.contains { $0.ecosystem == .python && $0.name == "spdx-tools" })
        let bill = try BillOfMaterials(Self.subject, inventory, toolVersion: "1")
        #expect(Set(bill.components.map(\.url)).count == bill.components.count)

        let folder = NSTemporaryDirectory() + "terrine-bill-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (spdx, cyclone) = (folder + "/bill.spdx.json", folder + "/bill.cdx.json")
        try Data(SPDXDocument(bill).bytes).write(to: URL(fileURLWithPath: spdx))
        try Data(CycloneDXDocument(bill).bytes).write(to: URL(fileURLWithPath: cyclone))
        for command in [Command(tools + "/pyspdxtools", ["-i", spdx]), Command(tools + "/python3", ["-c", Self.checkCycloneDX, cyclone])] {
            let said = try command.capture()
            #expect(said.status == .exited(0), "\(said.output.prefix(4000))\(said.errors.prefix(4000))")
        }
        // And they are no validators of everything.
        let empty = try BillOfMaterials(Self.subject, PackageInventory(FileTree()), toolVersion: "1")
        try Data(String(decoding: SPDXDocument(empty).bytes, as: UTF8.self).replacing("NOASSERTION", with: "NO-SUCH-LICENSE").utf8)
            .write(to: URL(fileURLWithPath: spdx))
        try Data(String(decoding: CycloneDXDocument(empty).bytes, as: UTF8.self).replacing("\"container\"", with: "\"containerr\"").utf8)
            .write(to: URL(fileURLWithPath: cyclone))
        for command in [Command(tools + "/pyspdxtools", ["-i", spdx]), Command(tools + "/python3", ["-c", Self.checkCycloneDX, cyclone])] {
            #expect(try command.capture().status != .exited(0))
        }
    }

    /// Also that every package URL is one that the library for them would write itself.
    private static let checkCycloneDX = """
        import json, sys
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        from packageurl import PackageURL
        text = open(sys.argv[1]).read()
        wrong = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
        if wrong: sys.exit(repr(wrong)[:3000])
        document = json.loads(text)
        known = {part.get("bom-ref") for part in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
        for link in document["dependencies"]:
            for end in [link["ref"]] + link.get("dependsOn", []):
                if end not in known: sys.exit("dangling " + end)
        for part in document["components"]:
            url = part.get("purl")
            if url and PackageURL.from_string(url).to_string() != url: sys.exit(url + " is " + PackageURL.from_string(url).to_string())
        """

    /// One of each other kind.
    private func add(_ tree: FileTree) {
        func file(_ path: [ByteString], _ text: String) { add(tree, path, text) }
        file(["usr", "lib", "os-release"], "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")
        file(["srv", ".git", "HEAD"], String(repeating: "0a", count: 20) + "\n")
        file(["srv", ".git", "config"], "[remote \"origin\"]\n\turl = https://git.example.com/team/shop.git\n")
        file(
            ["srv", "node_modules", "@s", "a", "package.json"],
            #"{"name":"@s/a","version":"1.0.0","license":"(MIT OR Apache-2.0)","author":"A B (http://x)"}"#)
        let sum = String(repeating: "1f", count: 32)
        file(["srv", "Cargo.lock"], "[[package]]\nname = \"log\"\nversion = \"0.4.22\"\nsource = \"registry+x\"\nchecksum = \"\(sum)\"\n")
    }

    private func add(_ tree: FileTree, _ path: [ByteString], _ text: String) {
        var folder = tree.root.folder
        for part in path.dropLast() {
            let next = folder?[part] ?? FileNode(.folder(FileFolder()), mode: 0o755)
            folder?[part] = next
            folder = next.folder
        }
        if let name = path.last { folder?[name] = FileNode(.file(BytesContent(Array(text.utf8))), mode: 0o644) }
    }
}
