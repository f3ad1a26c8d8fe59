import Foundation
import Testing

@testable import Autoinstall

@Suite struct RemedyTests {
    private func advice(_ output: String, _ change: (inout RemedyContext) -> Void = { _ in }) throws -> [Advice] {
        var context = RemedyContext(knowledge: try KnowledgeFixture.packages())
        change(&context)
        return RemedyPlanner(context).advice(for: try Diagnosis().findings(in: Failure(output)))
    }

    private func first(_ output: String, _ change: (inout RemedyContext) -> Void = { _ in }) throws -> [RecipePatch] {
        try advice(output, change).first?.remedies.first?.patches ?? []
    }

    private func apt(_ names: String...) -> [RecipePatch] { names.map { .package(manager: "apt", name: $0) } }

    @Test("what a build lacks comes from the distribution, by the file that it looks for")
    func distribution() throws {
        #expect(try first("sh: 1: protoc: not found\n") == apt("protobuf-compiler"))
        #expect(try first("a.c:1:10: fatal error: openssl/ssl.h: No such file or directory\n") == apt("libssl-dev"))
        #expect(try first("/usr/bin/ld: cannot find -lpq: No such file or directory\n") == apt("libpq-dev"))
        #expect(try first("./x: error while loading shared libraries: libpq.so.5: cannot open shared object file\n") == apt("libpq5"))
        #expect(try first("No package 'libxml-2.0' found\n") == apt("libxml2-dev", "pkg-config"))
        #expect(try first("gcc: fatal error: cannot execute 'cc1plus': execvp: No such file or directory\n") == apt("build-essential"))
        #expect(try first("can't find package tcltls 1.7\n") == apt("tcl-tls"))
        #expect(try first("Call to undefined function mb_strlen()\n") == apt("php-mbstring"))
        #expect(try first("configure.ac:1: error: possibly undefined macro: AX_NOSUCH\n") == apt("autoconf-archive"))
        #expect(try first(" * deb: libxml2-dev (Debian, Ubuntu, etc)\n") == apt("libxml2-dev"))
    }

    @Test("other owners are tried after the best one")
    func others() throws {
        let remedies = try advice("a.c:1:10: fatal error: curl/curl.h: No such file or directory\n")[0].remedies
        #expect(remedies.map(\.patches) == [apt("libcurl4-openssl-dev"), apt("libcurl4-gnutls-dev"), apt("libcurl4-nss-dev")])
        #expect(remedies[0].reason == "header curl/curl.h: a.c:1:10: fatal error: curl/curl.h: No such file or directory")
    }

    @Test("a Python module comes with the version that the repository declares, else from its registry, else from the distribution")
    func python() throws {
        let output = "ModuleNotFoundError: No module named 'yaml'\n"
        let declared = try advice(output) { $0.declared = ["python": ["pyyaml": "PyYAML>=5,<7"]] }[0].remedies
        #expect(declared[0].source == .declared && declared[0].patches == [.package(manager: "pip", name: "PyYAML>=5,<7")])
        let plain = try advice(output)[0].remedies
        #expect(plain.map(\.source) == [.language, .distribution])
        #expect(plain[1].patches.first == .package(manager: "apt", name: "python3-yaml"))
        #expect(try first("ModuleNotFoundError: No module named 'tkinter'\n") == apt("python3-tk"))
    }

    @Test("a module of the repository's own is installed, not fetched from a stranger")
    func ownModule() throws {
        let remedies = try advice("ModuleNotFoundError: No module named 'shop.core'\n") {
            $0.ownNames = ["python": ["shop"]]
            $0.files = ["pyproject.toml", "src/shop/__init__.py"]
        }[0].remedies
        #expect(
            remedies.map(\.patches) == [
                [.step(name: "install the project", run: "pip install --no-deps -e .")], [.variable(name: "PYTHONPATH", value: "/workspace/src")],
            ])
    }

    @Test("a test plugin is what brings the option, the fixture or the mark; an option of the repository's own is nothing to install")
    func testPlugins() throws {
        #expect(try first("pytest: error: unrecognized arguments: --cov-report=xml\n") == [.package(manager: "pip", name: "pytest-cov")])
        #expect(try first("E       fixture 'mocker' not found\n") == [.package(manager: "pip", name: "pytest-mock")])
        #expect(try advice("pytest: error: unrecognized arguments: --run-slow-ones\n")[0].remedies == [])
    }

    @Test("a language of another version is another base that has it, and a blocker where none has")
    func versions() throws {
        #expect(try first("ERROR: Package 'x' requires a different Python: 3.11.2 not in '>=3.12'\n") == [.base("debian-trixie")])
        #expect(try first("ImportError: cannot import name 'Mapping' from 'collections' (/usr/lib/python3.11/collections)\n") == [.base("debian-bullseye")])
        let python2 = try first("SyntaxError: Missing parentheses in call to 'print'\n")
        #expect(python2.prefix(2) == [.base("debian-bullseye"), .package(manager: "apt", name: "python2")])
        #expect(python2.contains { if case .step("python 2", let run) = $0 { run.contains("virtualenv --clear --python=python2") } else { false } })
        #expect(try first("ModuleNotFoundError: No module named 'urllib2'\n") == python2)
        #expect(
            try first("CMake Error at CMakeLists.txt:1 (cmake_minimum_required):\n  CMake 3.28 or higher is required.  You\n") == [
                .package(manager: "pip", name: "cmake>=3.28")
            ])
        #expect(try first("ModuleNotFoundError: No module named 'telnetlib'\n") { $0.suite = "trixie" } == [.base("debian-bookworm")])
        let none = try advice("go: go.mod requires go >= 1.99 (running go 1.19)\n")[0]
        #expect(none.remedies == [] && none.blocker.whoCanFix == .repositoryOwner && none.blocker.kind == "version")
    }

    @Test("a tool of Node comes with the project's own packages")
    func node() throws {
        let files: Set<String> = ["package.json", "package-lock.json"]
        let declared = try first("sh: 1: tsc: not found\n") {
            $0.files = files
            $0.declared = ["node": ["typescript": "^5"]]
        }
        #expect(declared == [.manifest(manager: "npm", key: "project", file: ".")])
        #expect(
            try first("Error: Cannot find module 'left-pad'\n") { $0.files = files } == [
                .step(name: "add left-pad", run: "npm install --no-save --no-audit --no-fund 'left-pad'")
            ])
        #expect(try first("Error: Cannot find module 'express'\n").first == .package(manager: "apt", name: "node-express"))
    }

    @Test("a service that does not answer is started here, with the database and the role that are missed")
    func services() throws {
        #expect(try first("Error: connect ECONNREFUSED 127.0.0.1:6379\n") == [.service(name: "redis", database: nil, user: nil, host: nil)])
        let output = "psql: error: FATAL:  database \"shop\" does not exist\npsql: error: FATAL:  role \"app\" does not exist\n"
        let all = try advice(output)
        #expect(
            all.map { $0.remedies.first?.patches } == [
                [.service(name: "postgresql", database: "shop", user: nil, host: nil)], [.service(name: "postgresql", database: nil, user: "app", host: nil)],
            ])
        #expect(try first("could not translate host name \"db\" to address: x\n") == [.service(name: "postgresql", database: nil, user: nil, host: "db")])
        let absent = try advice("kafka.errors.NoBrokersAvailable: NoBrokersAvailable\n")[0]
        #expect(absent.remedies == [] && absent.blocker.kind == "service" && absent.blocker.subject == "kafka")
    }

    @Test("a placeholder stands for a secret only where no goal looks at it")
    func secrets() throws {
        let output = "KeyError: 'API_TOKEN'\n"
        #expect(try first(output) == [.secretStandIn(name: "API_TOKEN", value: "terrine-placeholder-not-a-secret")])
        let checked = try advice(output) { $0.checkedSecrets = ["API_TOKEN"] }[0]
        #expect(checked.remedies == [] && checked.blocker.whoCanFix == .secretHolder)
        #expect(try advice("git@git.example.com: Permission denied (publickey).\n")[0].remedies == [])
    }

    @Test("surroundings are mended by the recipe where it can, and are someone else's where it cannot")
    func surroundings() throws {
        #expect(try first("c++: fatal error: Killed signal terminated program cc1plus\n") == [.memory(times: 2)])
        #expect(try first("cp: error writing 'x': No space left on device\n") == [.disk(times: 2)])
        #expect(try first("initdb: error: cannot be run as root\n") == [.goalUser("tester")])
        #expect(try first("panic: unknown time zone Europe/Berlin\n") == apt("tzdata"))
        #expect(try first("initdb: error: invalid locale name \"de_DE.UTF-8\"\n").first == .package(manager: "apt", name: "locales"))
        #expect(try first("locale.Error: unsupported locale setting\n").contains(.variable(name: "LC_ALL", value: "C.UTF-8")))
        #expect(try first("bash: ./run.sh: Permission denied\n") { $0.files = ["run.sh"] } == [.goalPrefix("chmod +x ./run.sh")])
        #expect(try first("JAVA_HOME is not set\n").last == .variable(name: "JAVA_HOME", value: "/usr/lib/jvm/default-java"))
        let inotify = try advice("Error: ENOSPC: System limit for number of file watchers reached\n")[0]
        #expect(inotify.remedies == [] && inotify.blocker.whoCanFix == .hostAdministrator)
        let network = try advice("curl: (6) Could not resolve host: api.example.com\n")[0]
        #expect(network.blocker.whoCanFix == .networkAdministrator && network.blocker.subject == "api.example.com")
    }

    @Test("names that a stranger's output brings cannot become shell")
    func hostileNames() throws {
        let lacks = [
            Lack(.user, "x; rm -rf /", evidence: "", rule: "t"), Lack(.locale, "de_$(id).UTF-8", evidence: "", rule: "t"),
            Lack(.permission, "./a b;id", evidence: "", rule: "t"), Lack(.module, "a';id;'", language: "perl", evidence: "", rule: "t"),
            Lack(.module, "x'; id; '", language: "node", evidence: "", rule: "t"), Lack(.secret, "A;id", evidence: "", rule: "t"),
        ]
        var context = RemedyContext(knowledge: try KnowledgeFixture.packages())
        context.files = ["package.json", "a b;id"]
        for advice in RemedyPlanner(context).advice(for: lacks) {
            for patch in advice.remedies.flatMap(\.patches) { #expect(!"\(patch)".contains("id"), "\(patch)") }
        }
    }

    @Test("a blocker is written as the report has it")
    func blockerJSON() throws {
        let blocker = Blocker(Lack(.secret, "API_TOKEN", evidence: "KeyError", rule: "x"), "give it", .secretHolder)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(
            String(decoding: try encoder.encode(blocker), as: UTF8.self)
                == #"{"evidence":"KeyError","kind":"secret","subject":"API_TOKEN","suggested_fix":"give it","who_can_fix":"secret-holder"}"#)
    }
}
