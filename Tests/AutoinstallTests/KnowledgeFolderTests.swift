import Foundation
import Linux
import Testing

@testable import Autoinstall

@Suite(.serialized) struct KnowledgeFolderTests {
    /// An archive of files, as apt reads it.
    private func withArchive(_ body: (KnowledgeFolder) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "knowledge-\(UUID().uuidString)").path
        let dist = folder + "/archive/dists/testing-suite"
        try FileManager.default.createDirectory(atPath: dist + "/main/binary-amd64", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let packages =
            "Package: a\nVersion: 1\nArchitecture: amd64\nDepends: libcurl4-openssl-dev (>= 7), zlib1g-dev | x\nFilename: a.deb\nSize: 1\nSHA256: 00\n\n"
        let files = ["main/binary-amd64/Packages": Data(packages.utf8), "main/Contents-amd64": Data(KnowledgeFixture.contents)]
        for (name, data) in files { try data.write(to: URL(filePath: "\(dist)/\(name)")) }
        let script = """
            cd \(dist) && { printf 'Suite: testing-suite\\nCodename: testing-suite\\nArchitectures: amd64\\nComponents: main\\nDate: %s\\nSHA256:\\n' "$(LC_ALL=C date -Ru)"
            for f in main/binary-amd64/Packages main/Contents-amd64; do echo " $(sha256sum $f | cut -d' ' -f1) $(stat -c %s $f) $f"; done; } > Release
            """
        #expect(try Command("sh", ["-c", script]).capture().status == .exited(0))
        var knowledge = KnowledgeFolder(home: folder + "/home")
        knowledge.ownSources = ["deb [trusted=yes] file:\(folder)/archive testing-suite main"]
        try body(knowledge)
    }

    private func fails(_ knowledge: KnowledgeFolder) -> KnowledgeFolder {
        var other = knowledge
        other.ownSources = ["deb [trusted=yes] file:/nonexistent testing-suite main"]
        return other
    }

    @Test("the index is made with apt from an archive, once, and found again")
    func made() throws {
        try withArchive { knowledge in
            var log: [String] = []
            let index = try knowledge.open(suite: "testing-suite", architecture: "amd64") { log.append($0) }
            #expect(try index.packages(KnowledgeKey(.command, "git")) == ["git"])
            // What packages ask for decides.
            #expect(try index.packages(.header("curl/curl.h")).first == "libcurl4-openssl-dev")
            #expect(log.count == 2)
            _ = try fails(knowledge).open(suite: "testing-suite", architecture: "amd64") { log.append($0) }
            #expect(log.count == 2)
            let left = try FileManager.default.contentsOfDirectory(atPath: knowledge.path).sorted()
            #expect(left == ["testing-suite-amd64.idx", "testing-suite-amd64.idx.lock"])
        }
    }

    @Test("a damaged index is made anew, an old one too, and stays when none can be made")
    func damaged() throws {
        try withArchive { knowledge in
            let path = knowledge.file(suite: "testing-suite", architecture: "amd64")
            _ = try knowledge.open(suite: "testing-suite", architecture: "amd64")
            var bytes = try readFile(path)
            bytes[20] ^= 0xFF
            try replaceFile(path, with: bytes)
            var log: [String] = []
            #expect(throws: AutoinstallError.self) { try fails(knowledge).open(suite: "testing-suite", architecture: "amd64") }
            let mended = try knowledge.open(suite: "testing-suite", architecture: "amd64") { log.append($0) }
            #expect(log.first?.contains("damaged") == true)
            var old = KnowledgeFolder(home: String(knowledge.path.dropLast(10)), maximumAge: .zero)
            old.ownSources = fails(knowledge).ownSources
            let kept = try old.open(suite: "testing-suite", architecture: "amd64") { log.append($0) }
            #expect(kept.made == mended.made)
            #expect(log.last?.contains("stays as it is") == true)
        }
    }

    @Test("a suite's name is a name")
    func names() {
        for name in ["", "../x", "a b", "a/b"] {
            #expect(throws: AutoinstallError.self) { try KnowledgeFolder(home: "/nonexistent").open(suite: name, architecture: "amd64") }
        }
    }

    @Test("a suite of this host's own archive", .enabled(if: ProcessInfo.processInfo.environment["TERRINE_TEST_SUITE"] != nil))
    func real() throws {
        let suite = ProcessInfo.processInfo.environment["TERRINE_TEST_SUITE"] ?? ""
        let home =
            ProcessInfo.processInfo.environment["TERRINE_TEST_KNOWLEDGE"] ?? FileManager.default.temporaryDirectory.appending(path: "knowledge-real").path
        let clock = ContinuousClock()
        var opened: KnowledgeIndex?
        let making = try clock.measure { opened = try KnowledgeFolder(home: home).open(suite: suite, architecture: "amd64") { print($0) } }
        let again = try clock.measure { opened = try KnowledgeFolder(home: home).open(suite: suite, architecture: "amd64") }
        let packages = IndexedPackages(opened, architecture: "amd64")
        let size = try FileManager.default.attributesOfItem(atPath: "\(home)/knowledge/\(suite)-amd64.idx")[.size] ?? 0
        print("\(suite): made in \(making), opened in \(again), \(size) bytes")
        let asked = clock.measure { for _ in 0..<100 { _ = packages.packages(forCommand: "protoc") } }
        print("a question: \(asked / 100)")
        #expect(packages.packages(forCommand: "protoc").first == "protobuf-compiler")
        #expect(packages.packages(forCommand: "redis-server").first == "redis-server")
        #expect(packages.packages(forHeader: "zlib.h").first == "zlib1g-dev")
        #expect(packages.packages(forHeader: "openssl/ssl.h").first == "libssl-dev")
        #expect(packages.packages(forHeader: "glib.h").first == "libglib2.0-dev")
        #expect(packages.packages(forHeader: "Eigen/Dense").first == "libeigen3-dev")
        #expect(packages.packages(forPkgConfig: "libxml-2.0").first == "libxml2-dev")
        #expect(packages.packages(forPkgConfig: "gtk+-3.0").first == "libgtk-3-dev")
        #expect(packages.packages(forCMake: "fmt").first == "libfmt-dev")
        #expect(packages.packages(forLinked: "pq").first == "libpq-dev")
        #expect(packages.packages(forFile: "libGL.so.1").first == "libgl1")
        #expect(packages.packages(forHeader: "curl/curl.h").first == "libcurl4-openssl-dev")
        #expect(packages.packages(forModule: "JSON::XS", language: "perl").first == "libjson-xs-perl")
        #expect(packages.packages(forModule: "yaml", language: "python").first == "python3-yaml")
        #expect(packages.packages(forModule: "socket.http", language: "lua").first == "lua-socket")
        for command in ["make", "bison", "gperf", "xmlto", "gfortran", "pg_config", "runtest", "bats", "jq"] {
            print("\(command): \(packages.packages(forCommand: command))")
        }
        for header in [
            "curl/curl.h", "jpeglib.h", "ncurses.h", "boost/version.hpp", "Python.h", "gtest/gtest.h", "mysql/mysql.h", "lua.h", "pcap.h", "QApplication",
        ] {
            print("\(header): \(packages.packages(forHeader: header).prefix(4))")
        }
    }
}
