import Foundation
import TestSupport
import Testing

@testable import Autoinstall

enum KnowledgeFixture {
    static let contents = Array(
        FileManager.default.contents(atPath: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/Contents-amd64").path)!)
    static let uses = ["libcurl4-openssl-dev": 120, "libcurl4-gnutls-dev": 300, "libcurl4-nss-dev": 3, "zlib1g-dev": 500]

    static let bytes: [UInt8] = {
        var writer = KnowledgeWriter()
        contents.withUnsafeBytes { ContentsReader(architecture: "amd64").read($0, into: &writer) }
        return writer.finish(made: 1_700_000_000, uses: uses)
    }()

    static func packages() throws -> IndexedPackages { IndexedPackages(try KnowledgeIndex(bytes: bytes), architecture: "amd64") }
}

@Suite struct KnowledgeIndexTests {
    @Test("files of packages are found by the names that programs look for")
    func lookups() throws {
        let packages = try KnowledgeFixture.packages()
        #expect(packages.packages(forCommand: "git") == ["git"])
        #expect(packages.packages(forCommand: "fortune") == ["fortune-mod"])
        #expect(packages.packages(forCommand: "initdb") == ["postgresql"])
        #expect(packages.packages(KnowledgeKey(.program, "initdb")) == ["postgresql-15"])
        #expect(packages.packages(forHeader: "openssl/ssl.h") == ["libssl-dev"])
        #expect(packages.packages(forHeader: "openssl/opensslconf.h") == ["libssl-dev"])
        #expect(packages.packages(forHeader: "glib.h") == ["libglib2.0-dev"])
        #expect(packages.packages(forLinked: "pq") == ["libpq-dev"])
        #expect(packages.packages(forFile: "libpq.so.5") == ["libpq5"])
        #expect(packages.packages(forPkgConfig: "libxml-2.0") == ["libxml2-dev"])
        #expect(packages.packages(forPkgConfig: "shared-mime-info") == ["shared-mime-info"])
        #expect(packages.packages(forCMake: "fmt") == ["libfmt-dev"])
        #expect(packages.packages(forCMake: "Qt5Core") == ["qtbase5-dev"])
        // One that is called so goes before one that carries its own way to find it.
        #expect(packages.packages(forCMake: "CppUnit") == ["libcppunit-dev"])
        #expect(packages.packages(forCMake: "ZLIB").first == "zlib1g-dev")
        #expect(packages.packages(forCMake: "Wayland") == ["extra-cmake-modules"])
        #expect(packages.packages(KnowledgeKey(.cmakeFinder, "curl")) == [])
        #expect(packages.packages(forFile: "/etc/mime.types") == ["media-types"])
        #expect(packages.packages(forFile: "/usr/include/openssl/ssl.h") == ["libssl-dev"])
        #expect(packages.packages(forFile: "/usr/bin/protoc") == ["protobuf-compiler"])
        #expect(packages.packages(forFile: "/usr/share/postgresql/15/extension/postgis.control") == ["postgresql-15-postgis-3"])
        #expect(packages.packages(forFile: "/usr/share/zoneinfo/Europe/Berlin") == ["tzdata"])
        #expect(packages.packages(KnowledgeKey(.file, "/usr/share/dict/words words and more")) == ["wamerican"])
        #expect(packages.packages(forFile: "/usr/share/doc/git/README") == [])
    }

    @Test(
        "modules of languages are found by what their language calls them",
        arguments: [
            ("perl", "Test::Deep", "libtest-deep-perl"), ("perl", "DBD/Pg", "libdbd-pg-perl"), ("perl", "File::Copy", "perl-modules-5.36"),
            ("perl", "Moo", "libmoo-perl"),
            ("python", "yaml", "python3-yaml"), ("python", "yaml.loader", "python3-yaml"), ("python", "six", "python3-six"),
            ("python", "google.protobuf", "python3-protobuf"), ("python", "_cffi_backend", "python3-cffi-backend"), ("python", "tkinter", "python3-tk"),
            ("python", "PyYAML", "python3-yaml"), ("python2", "six", "python-six"), ("ruby", "rspec/core", "ruby-rspec-core"), ("ruby", "rake", "rake"),
            ("ruby", "active_job", "ruby-activejob"), ("ruby", "pg_ext", "ruby-pg"), ("lua", "socket.http", "lua-socket"), ("lua", "say", "lua-say"),
            ("tcl", "tcltls", "tcl-tls"), ("node", "express", "node-express"), ("node", "@types/node", "node-types-node"), ("r", "jsonlite", "r-cran-jsonlite"),
            ("haskell", "aeson", "libghc-aeson-dev"), ("ocaml", "yojson", "libyojson-ocaml-dev"), ("java", "org.slf4j:slf4j-api", "libslf4j-java"),
            ("java", "com.google.guava:guava", "libguava-java"), ("rust", "serde", "librust-serde-dev"),
            ("go", "github.com/spf13/cobra/doc", "golang-github-spf13-cobra-dev"), ("php", "mbstring", "php8.2-mbstring"),
            ("erlang", "cowboy", "erlang-cowboy"),
            ("gobject", "Gtk-3.0", "gir1.2-gtk-3.0"), ("vala", "gee-0.8", "libgee-0.8-dev"), ("aclocal", "AX_CXX_COMPILE_STDCXX", "autoconf-archive"),
        ])
    func modules(_ language: String, _ name: String, _ package: String) throws {
        #expect(try KnowledgeFixture.packages().packages(forModule: name, language: language) == [package])
    }

    @Test("of several owners the one that most packages ask for comes first, documentation and copies last")
    func preference() throws {
        let packages = try KnowledgeFixture.packages()
        #expect(packages.packages(forHeader: "curl/curl.h") == ["libcurl4-openssl-dev", "libcurl4-gnutls-dev", "libcurl4-nss-dev", "libcurl4-doc"])
        let index = try KnowledgeIndex(bytes: KnowledgeFixture.bytes)
        #expect(try index.packages(.header("curl/curl.h")).prefix(2) == ["libcurl4-gnutls-dev", "libcurl4-openssl-dev"])
        #expect(packages.packages(forHeader: "zlib.h") == ["zlib1g-dev", "a-zlib-copy"])
    }

    @Test("what counts are other projects that ask for a package, each once")
    func uses() {
        let text = """
            Package: libx1.81-dev
            Source: x1.81
            Depends: libx1.81-a (= 1), libx1.81-b

            Package: libx1.81-tools
            Source: x1.81 (2.0)
            Depends: libx1.81-dev

            Package: libx-dev
            Source: x-defaults
            Depends: libx1.74-dev (>= 1) | libx1.81-dev, libc6:any
            Recommends: libx1.74-dev

            Package: app
            Pre-Depends: libc6

            """
        var uses = PackageUses()
        Array(text.utf8).withUnsafeBytes { uses.read($0) }
        let counts = uses.counts()
        #expect(counts["libx1.81-dev"] == 0 && counts["libx1.74-dev"] == 1 && counts["libc6"] == 2)
    }

    @Test("commands that only maintainers' scripts make are known, and what nobody knows is no answer")
    func alternatives() throws {
        let packages = try KnowledgeFixture.packages()
        #expect(packages.packages(forCommand: "java") == ["default-jdk-headless"])
        #expect(packages.packages(forCommand: "psql") == ["postgresql-client"])
        #expect(packages.packages(forCommand: "nosuchtool") == [])
        #expect(packages.packages(forHeader: "nosuch.h") == [])
        #expect(IndexedPackages(nil, architecture: "amd64").packages(forPkgConfig: "zlib") == ["zlib1g-dev"])
    }

    @Test("a module's distribution goes by its own name, by the list where that differs, and not at all in the standard library")
    func imports() throws {
        let packages = IndexedPackages(nil, architecture: "amd64")
        func name(_ module: String) -> String? { packages.distribution(forPythonImport: module).map { ImportNames.normalised($0) } }
        #expect(name("yaml") == "pyyaml")
        #expect(name("yaml.loader") == "pyyaml")
        #expect(name("PIL.Image") == "pillow")
        #expect(name("bs4") == "beautifulsoup4")
        #expect(name("cv2") == "opencv-python-headless")
        #expect(name("sklearn.svm") == "scikit-learn")
        #expect(name("google.cloud.storage.blob") == "google-cloud-storage")
        #expect(name("dateutil.parser") == "python-dateutil")
        #expect(name("requests") == "requests")
        #expect(name("typing_extensions") == "typing-extensions")
        #expect(name("json.decoder") == nil)
        #expect(ImportNames.normalised("Flask__SQL.Alchemy") == "flask-sql-alchemy")
    }

    @Test("keys of several blocks are all found, in their order")
    func manyBlocks() throws {
        var writer = KnowledgeWriter()
        let names = (0..<1000).map { "program-\($0)" }
        for name in names { Array("utils/package-\(name)".utf8).withUnsafeBytes { writer.add(KnowledgeKey(.command, name), owner: $0) } }
        let index = try KnowledgeIndex(bytes: writer.finish(made: 1, uses: [:]))
        for name in names { #expect(try index.packages(KnowledgeKey(.command, name)) == ["package-\(name)"]) }
        let found = try index.keys(beginningWith: KnowledgeKey(.command, "program-99"), limit: 20)
        #expect(found.map(\.key.name) == ["program-99"] + (990..<1000).map { "program-\($0)" })
        for name in ["", "a", "program", "program-0a", "zzz"] { #expect(try index.packages(KnowledgeKey(.command, name)) == []) }
    }

    @Test("an empty index answers that it knows nothing")
    func empty() throws {
        let index = try KnowledgeIndex(bytes: KnowledgeWriter().finish(made: 1, uses: [:]))
        #expect(try index.packages(KnowledgeKey(.command, "git")) == [])
    }

    @Test("the dump in the documentation is what is written, and is read back")
    func documentedDump() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Docs/formats/knowledge.md")
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").filter { $0.contains(#/^[0-9a-f]{4}  /#) }
        let dump = lines.flatMap { line in line.dropFirst(6).prefix(48).split(separator: " ").compactMap { UInt8($0, radix: 16) } }
        var writer = KnowledgeWriter()
        for (key, owner) in [(KnowledgeKey(.command, "git"), "vcs/git"), (.header("openssl/ssl.h"), "libdevel/libssl-dev")] {
            Array(owner.utf8).withUnsafeBytes { writer.add(key, owner: $0) }
        }
        let bytes = writer.finish(made: 1_700_000_000, uses: [:])
        #expect(dump == bytes, "\(hex(bytes))")
        #expect(try KnowledgeIndex(bytes: dump).packages(.header("openssl/ssl.h")) == ["libssl-dev"])
    }

    private func hex(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: bytes.count, by: 16).map { at in
            String(format: "%04x  ", at) + bytes[at..<min(at + 16, bytes.count)].map { String(format: "%02x", $0) }.joined(separator: " ")
        }.joined(separator: "\n")
    }
}

@Suite struct KnowledgeFuzzTests {
    @Test("a damaged index is told or answers as the whole one does, and never stops the program")
    func fuzz() throws {
        let whole = try KnowledgeIndex(bytes: KnowledgeFixture.bytes)
        let keys = [KnowledgeKey(.command, "git"), .header("curl/curl.h"), KnowledgeKey(.perl, "Moo"), KnowledgeKey(.crate, "nothing")]
        let answers = try keys.map { try whole.packages($0) }
        Fuzzer.run("index of packages", [KnowledgeFixture.bytes]) { bytes in
            let index = try KnowledgeIndex(bytes: bytes)
            for (key, answer) in zip(keys, answers) { #expect(try index.packages(key) == answer) }
            _ = try index.keys(beginningWith: KnowledgeKey(.header, ""))
        }
    }

    @Test("any list of contents is read")
    func contents() {
        Fuzzer.run("contents", [Array(KnowledgeFixture.contents.prefix(900)), Array(KnowledgeFixture.contents.suffix(900))]) { bytes in
            var writer = KnowledgeWriter()
            bytes.withUnsafeBytes { ContentsReader(architecture: "amd64").read($0, into: &writer) }
            _ = try KnowledgeIndex(bytes: writer.finish(made: 1, uses: [:]))
        }
    }
}
