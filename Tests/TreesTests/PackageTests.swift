import Foundation
import Linux
import TestSupport
import Testing

@testable import Trees

@Suite("What is installed on a disk")
struct PackageTests {
    @Test("dpkg's status: what is installed, with sources and needs; what was removed is not told")
    func status() {
        let packages = DebianStatus.packages(Array(Self.status.utf8), path: "var/lib/dpkg/status")
        #expect(packages.map(\.name) == ["libc6", "gcc-12-base", "grep"])
        #expect(packages[0].source == .init(name: "glibc", version: "2.36-9+deb12u10"))
        #expect(packages[0].dependencies == [["libgcc-s1"]])
        #expect(packages[0].homepage == "https://www.gnu.org/software/libc/libc.html")
        #expect(packages[1].source == .init(name: "gcc-12", version: "12.2.0-14+deb12u1"))
        #expect(packages[2].source == nil)
        #expect(packages[2].dependencies == [["libc6"], ["libpcre2-8-0"], ["dpkg", "install-info"]])
        #expect(packages[2].provides == ["rgrep", "egrep"])
        #expect(packages[2].architecture == "amd64")
        #expect(packages[2].maintainer == "Anibal Monsalve Salazar <anibal@debian.org>")
    }

    @Test("a copyright file that programs can read names licences, with their texts; one in free form names none")
    func copyright() {
        let licenses = DebianCopyright.licenses(Array(Self.copyright.utf8))
        #expect(licenses.map(\.expression) == ["GPL-2+ or Artistic", "Zlib", "custom"])
        #expect(licenses[1].text == "This software is provided 'as-is'.\n\nNo warranty.")
        #expect(licenses[2].text == "Do what you want.")
        #expect(DebianCopyright.licenses(Array("This package was debianized by somebody.\nLicense: GPL-2\n".utf8)).isEmpty)
    }

    @Test("a Python distribution's METADATA: folded fields, licences of three ages, what only extras need left out")
    func metadata() throws {
        let new = try #require(PythonMetadata.package(Array(Self.metadata.utf8), path: "p"))
        #expect(new.name == "Foo.Bar")
        #expect(new.version == "3.1.6")
        #expect(new.licenses == [DeclaredLicense("BSD-3-Clause", .spdx)])
        #expect(new.homepage == "https://example.com/source/")
        #expect(new.maintainer == "Pallets <contact@example.com>")
        #expect(new.dependencies == [["MarkupSafe"]])
        func licenses(_ fields: String) -> [String] {
            PythonMetadata.package(Array("Name: a\nVersion: 1\n\(fields)\n".utf8), path: "p")?.licenses.map(\.expression) ?? []
        }
        #expect(licenses("License: MIT") == ["MIT"])
        #expect(licenses("License: UNKNOWN\nClassifier: License :: OSI Approved :: ISC License (ISCL)") == ["ISC License (ISCL)"])
        #expect(licenses("License: Copyright me\n  All of a text\nClassifier: License :: OSI Approved") == [])
        #expect(PythonMetadata.package(Array("Version: 1\n\nName: late\n".utf8), path: "p") == nil)
    }

    @Test("a package.json, as authors of all times wrote it")
    func node() throws {
        let json = #"""
            {"name":"@scope/pad","version":"1.3.0","license":"MIT","author":"Azer <azer@example.com> (http://x)","dependencies":{"b":"1","a":"*"}}
            """#
        let package = try #require(NodePackage.package(Array(json.utf8), path: "p"))
        #expect(package.name == "@scope/pad")
        #expect(package.maintainer == "Azer <azer@example.com>")
        #expect(package.dependencies == [["a"], ["b"]])
        let old = #"""
            {"name":"old","version":"0.1.0","licenses":[{"type":"MIT"},{"type":"GPL-2.0"}],"author":{"name":"N","email":"n@example.com"},"homepage":{}}
            """#
        #expect(NodePackage.package(Array(old.utf8), path: "p")?.licenses.map(\.expression) == ["MIT", "GPL-2.0"])
        #expect(NodePackage.package(Array(old.utf8), path: "p")?.maintainer == "N <n@example.com>")
        for none in ["", "[]", #"{"type":"module"}"#, #"{"name":3,"version":"1"}"#] { #expect(NodePackage.package(Array(none.utf8), path: "p") == nil) }
    }

    @Test("Cargo.lock: crates of registries and repositories with their sums; the workspace's own are not told")
    func cargo() {
        let packages = CargoLock.packages(Array(Self.cargoLock.utf8), path: "Cargo.lock")
        #expect(packages.map(\.name) == ["aho-corasick", "patched"])
        #expect(packages[0].version == "1.1.3")
        #expect(packages[0].checksums == ["sha256": "8e60d3430d3a69478ad0993f19238d2df97c507009a52b3c10addcd7f6bcb916"])
        #expect(packages[0].dependencies == [["memchr"], ["log"]])
    }

    @Test("a program of Go says what it was built from", .enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/skopeo")))
    func goProgram() throws {
        let found = try GoBuildInfo.packages(hostFile("/usr/bin/skopeo"), path: "usr/bin/skopeo")
        #expect(found.first?.name == "stdlib")
        #expect(found.first?.version.hasPrefix("1.") == true)
        #expect(try GoBuildInfo.packages(hostFile("/bin/sh"), path: "bin/sh").isEmpty)
    }

    @Test("modules of a program of Go, and what replaced one of them")
    func goModules() {
        let mark = [UInt8](repeating: 0x30, count: 16)
        let text = "path\texample.com/cmd\nmod\texample.com/cmd\t(devel)\t\ndep\tgithub.com/a/b\tv1.2.3\th1:x=\n=>\tgithub.com/c/b\tv1.2.4\th1:y=\n"
        let packages = GoBuildInfo.packages(section: Self.goSection("go1.22.1 X:loopvar", mark + Array(text.utf8) + mark), path: "x")
        #expect(packages.map { "\($0.name) \($0.version)" } == ["stdlib 1.22.1", "example.com/cmd (devel)", "github.com/c/b v1.2.4"])
    }

    @Test("an inventory tells each piece once: what dpkg put there is dpkg's; lock files of fetched crates are not read; clones stand at a commit")
    func inventory() throws {
        let tree = FileTree()
        tree.add("var/lib/dpkg/status", "Package: python3-foo\nStatus: install ok installed\nVersion: 1\n\n")
        tree.add("var/lib/dpkg/info/python3-foo.list", "/.\n/lib/python3/dist-packages/foo-1.dist-info/METADATA\n")
        tree.add("usr/lib/python3/dist-packages/foo-1.dist-info/METADATA", "Name: foo\nVersion: 1\n")
        tree.add("opt/venv/lib/python3.11/site-packages/bar-2.dist-info/METADATA", "Name: bar\nVersion: 2\n")
        tree.add("srv/node_modules/@s/a/package.json", #"{"name":"@s/a","version":"1.0.0"}"#)
        tree.add("srv/node_modules/@s/a/lib/package.json", #"{"name":"not","version":"1.0.0"}"#)
        tree.add("srv/Cargo.lock", Self.cargoLock)
        tree.add("root/.cargo/registry/src/index/x-1/Cargo.lock", Self.cargoLock)
        tree.add("srv/.git/HEAD", "ref: refs/heads/main\n")
        tree.add("srv/.git/packed-refs", "# pack-refs\n\(String(repeating: "a", count: 40)) refs/heads/main\n")
        tree.add("srv/.git/config", "[remote \"origin\"]\n\turl = https://me:secret@example.com/x.git\n")
        tree.add("etc/os-release", link: "../usr/lib/os-release")
        tree.add("usr/lib/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
        tree.add("usr/share/doc/python3-foo", link: "/usr/share/doc/other")
        tree.add("usr/share/doc/other/copyright", Self.copyright)
        let inventory = try PackageInventory(tree)
        #expect(inventory.packages.map(\.name) == ["aho-corasick", "patched", "python3-foo", "@s/a", "bar"])
        #expect(inventory.packages[2].licenses.count == 3)
        #expect(inventory.checkouts.map(\.path) == ["srv"])
        #expect(inventory.checkouts.first?.commit == String(repeating: "a", count: 40))
        #expect(inventory.checkouts.first?.url == "https://example.com/x.git")
        #expect(inventory.system?.id == "debian")
        #expect(inventory.system?.name == "Debian GNU/Linux 12 (bookworm)")
        #expect(inventory.notes.isEmpty)
    }

    @Test("links are followed within the tree, never out of it, and not in circles")
    func following() {
        let tree = FileTree()
        tree.add("a/file", "x")
        tree.add("link", link: "/../../a")
        tree.add("a/up", link: "../link/file")
        tree.add("circle", link: "circle")
        #expect(tree.node(following: "link/file") === tree.node(at: "a/file"))
        #expect(tree.node(following: "a/up") === tree.node(at: "a/file"))
        #expect(tree.node(following: "circle") == nil)
        #expect(tree.node(following: "none/file") == nil)
        #expect(tree.node(following: "../..") === tree.root)
    }

    @Test("no bytes trip a reader of packages")
    func fuzz() {
        let files = [Self.status, Self.copyright, Self.metadata, Self.cargoLock].map { Array($0.utf8) }
        Fuzzer.run("files of package managers", files) { bytes in
            _ = DebianStatus.packages(bytes, path: "p")
            _ = DebianCopyright.licenses(bytes)
            _ = PythonMetadata.package(bytes, path: "p")
            _ = CargoLock.packages(bytes, path: "p")
            _ = NodePackage.package(bytes, path: "p")
            _ = SystemRelease(bytes)
        }
        let mark = [UInt8](repeating: 0x30, count: 16)
        let section = Self.goSection("go1.22", mark + Array("dep\ta\tv1\th\n".utf8) + mark)
        Fuzzer.run("build information of Go", [section]) { _ = GoBuildInfo.packages(section: $0, path: "p") }
        let elf = [0x7F, 0x45, 0x4C, 0x46, 2, 1] + [UInt8](repeating: 0, count: 34) + [64] + [UInt8](repeating: 0, count: 17) + [64, 0, 1, 0, 0, 0]
        Fuzzer.run("ELF", [elf + [UInt8](repeating: 1, count: 64)]) { _ = try GoBuildInfo.packages(BytesContent($0), path: "p") }
    }

    private func hostFile(_ path: String) throws -> HostFileContent {
        let size = try #require(try FileManager.default.attributesOfItem(atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)[.size] as? Int64)
        return HostFileContent(path, try Descriptor(path, O_RDONLY), size: size)
    }

    private static func goSection(_ version: String, _ modules: [UInt8]) -> [UInt8] {
        func text(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count & 0x7F) | 0x80, UInt8(bytes.count >> 7)] + bytes }
        return [0xFF] + Array(" Go buildinf:".utf8) + [8, 2] + [UInt8](repeating: 0, count: 16) + text(Array(version.utf8)) + text(modules)
    }
}

extension FileTree {
    /// Puts a file there, and the folders above it.
    func add(_ path: String, _ text: String) { add(path, FileNode(.file(BytesContent(Array(text.utf8))), mode: 0o644)) }
    func add(_ path: String, link: String) { add(path, FileNode(.symlink(ByteString(link)), mode: 0o777)) }

    func add(_ path: String, _ node: FileNode) {
        let components = ByteString(path).components
        guard let name = components.last, var folder = root.folder else { return }
        for part in components.dropLast() {
            let next = folder[part] ?? FileNode(.folder(FileFolder()), mode: 0o755)
            folder[part] = next
            guard let inner = next.folder else { return }
            folder = inner
        }
        folder[name] = node
    }
}
