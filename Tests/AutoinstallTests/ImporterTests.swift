import Foundation
import Testing

@testable import Autoinstall

@Suite struct ImporterTests {
    @Test("environment formats say what a person reads in them", arguments: Fixtures.names("importers"))
    func formats(_ name: String) throws {
        let repository = try Repository(root: "\(Fixtures.folder)/importers/\(name)/repo")
        let covers = try EcosystemCatalog().ecosystems.flatMap(\.covers)
        var findings = Findings()
        Importers.run(ImportContext(repository: repository, carrier: ScriptCarrier(covers: covers), knowledge: KnownPackages()), &findings)
        let lines = findings.items.map { "\($0.subject.shown) [\($0.origin), \($0.evidence)]" } + findings.notes.map { "note: \($0)" }
        try Fixtures.expect(lines.joined(separator: "\n") + "\n", "importers/\(name)/expected.txt")
    }

    @Test("a file that is not of its format is told with its line, and the others are read")
    func broken() throws {
        let files = [
            ".devcontainer/devcontainer.json": "{\n  \"image\": \"debian\",\n  oops\n}\n", "docker-compose.yml": "services:\n\t- a\n",
            "mise.toml": "[tools\nnode = 1\n",
            ".gitpod.yml": "a: &a [*a]\n", "Dockerfile": "RUN true\n", "apt.txt": "jq\n",
        ]
        try withRepository(files) { repository in
            var findings = Findings()
            Importers.run(ImportContext(repository: repository, carrier: ScriptCarrier(covers: []), knowledge: KnownPackages()), &findings)
            #expect(findings.items.map(\.subject) == [.systemPackage("jq")])
            let told = findings.notes.map(\.description).joined(separator: "\n")
            for place in [
                ".devcontainer/devcontainer.json:3: not taken over", "docker-compose.yml:2: not taken over", "mise.toml:1: not taken over",
                "Dockerfile:1: not taken over",
            ] {
                #expect(told.contains(place), "\(told)")
            }
        }
    }

    @Test("scripts are taken apart as a shell would")
    func shell() {
        let script =
            "FOO=1 sudo -E apt-get install -y 'a b' x>/dev/null 2>&1 && echo \"a; b\" # no\ncd x || exit 1\ncat <<EOF\napt-get install no\nEOF\nmake \\\n  all"
        let shell = ShellText(script, line: 10)
        #expect(
            shell.commands.map(\.words) == [
                ["apt-get", "install", "-y", "a b", "x"], ["echo", "a; b"], ["cd", "x"], ["exit", "1"], ["cat"], ["make", "all"],
            ])
        #expect(shell.commands.map(\.line) == [10, 10, 11, 11, 12, 15])
        #expect(!shell.isPlain && ShellText("a && b\nc", line: 1).isPlain && !ShellText("if a; then b; fi", line: 1).isPlain)
    }

    @Test("TOML's own ways of writing are read")
    func toml() throws {
        let text =
            "a.b.\"c d\" = 'x'\n[t]\nlist = [1, # one\n  { k = \"v\\n\\u00e9\" },\n]\nlong = \"\"\"\nfirst\nsecond\"\"\"\n[[t.many]]\nn = 1\n[[t.many]]\nn = 2\n"
        let root = try TOMLText.read(SourceText(path: "x.toml", text: text))
        #expect(root[path: "a", "b", "c d"]?.text == "x")
        #expect(
            root[path: "t", "list"]?.list.last?["k"]?.text == "v\né" && root[path: "t", "long"]?.text == "first\nsecond" && root[path: "t", "long"]?.line == 6)
        #expect(root[path: "t", "many"]?.list.compactMap { $0["n"]?.text } == ["1", "2"])
    }
}
