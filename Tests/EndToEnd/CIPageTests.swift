import Foundation
import Linux
import TestSupport
import Testing

@Suite("Docs/ci.md", .serialized, .enabled(if: PythonTools.met))
struct CIPageTests {
    /// The YAML files of the page, and every command line of `terrine` in their jobs, as the shell would split them.
    private static let script = """
        import json, re, shlex, sys, yaml
        files = re.findall(r"^```yaml\\n(.*?)^```", open(sys.argv[1]).read(), re.S | re.M)
        lines = []
        for text in files:
            document = yaml.safe_load(text)
            for name, job in document.get("jobs", document).items():
                if not isinstance(job, dict): continue
                found = list(job.get("script", [])) + [step["run"] for step in job.get("steps", []) if "run" in step]
                for command in found: lines += [shlex.split(line) for line in command.split("\\n") if line.startswith("terrine ")]
        print(json.dumps({"files": len(files), "lines": lines}))
        """

    private struct Page: Decodable {
        let files: Int
        let lines: [[String]]
    }

    @Test("its files are YAML, and the program understands every command in them")
    func examples() throws {
        let tools = try #require(PythonTools.programs)
        let said = try Command(tools + "/python3", ["-c", Self.script, "Docs/ci.md"]).capture()
        try #require(said.status == .exited(0), "\(said.errors)")
        let page = try JSONDecoder().decode(Page.self, from: Data(said.output.utf8))
        #expect(page.files == 2)
        #expect(page.lines.count { $0.prefix(2) == ["terrine", "ci"] } == 2)
        try Home.with { home in
            for line in page.lines {
                // All before it is understood when this is what it stumbles over; so nothing is run.
                let run = try home.terrine(Array(line.dropFirst()) + ["--not-an-option"], expect: 2)
                #expect(run.errors.contains("Unknown option '--not-an-option'"), "\(line.joined(separator: " ")): \(run.errors)")
            }
        }
    }
}
