import Foundation
import Linux
import Testing

@Suite("Secrets in builds", .serialized, .enabled(if: MachineNeeds.met))
struct SecretTests {
    private static let value = "tRv7-9qLx0/WkZ+secret-value-Hm42"
    private static let recipe = """
        secrets: [{ name: TOKEN, required: true }, { name: OPTIONAL }]
        workspace: { from: files }
        steps:
          - name: use
            run: |
              test "$(wc -c < /dev/terrine/secrets/TOKEN)" -eq 32
              test "$TOKEN_IN_ENV" = "$(cat /dev/terrine/secrets/TOKEN)"
              test ! -e /dev/terrine/secrets/OPTIONAL
              echo "the token is $TOKEN_IN_ENV."
              printf 'and in base64: '; printf 'user:%s' "$TOKEN_IN_ENV" | base64
              printf 'tRv7-9qLx0/W'; sleep 0.2; printf 'kZ+secret-value-Hm42\\n' >&2
              sha256sum /dev/terrine/secrets/TOKEN | cut -c1-8 > /sum
            inputs: []
            secrets: [{ name: TOKEN, env: TOKEN_IN_ENV }, OPTIONAL]
          - { name: without, run: "test ! -e /dev/terrine/secrets && test -z \\"$TOKEN_IN_ENV\\"", inputs: [] }

        """

    /// Every file of the home as it is, and packs decompressed.
    private func holds(_ home: Home, _ texts: [String]) throws -> String {
        let script = """
            cd "$1"; shift
            for text in "$@"; do
              grep -rlF --exclude-dir=work -e "$text" . || :
              find store -type f | while read -r file; do zstd -dcq "$file" 2>/dev/null | grep -qaF -e "$text" && echo "$file holds $text"; done || :
            done
            """
        return try Command("sh", ["-c", script, "sh", home.path] + texts).capture().output
    }

    @Test("a step gets a secret as a file and a variable; it is in no layer, no record, no index and no output")
    func nowhere() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.recipe)
            try home.write("work/files/README", "x\n")
            try home.write("work/token", Self.value)
            let coded = Data("user:\(Self.value)".utf8).base64EncodedString()
            let run = try home.terrine("build", folder, "-t", "it:1", "--no-cache", "--secret", "TOKEN=file:\(folder)/token", "--progress", "plain", expect: 0)
            #expect(run.errors.contains("the token is ***."))
            for text in [Self.value, "kZ+secret", coded.suffix(20).description] { #expect(!(run.errors + run.output).contains(text)) }
            // The search finds what is there: the step's own trace of it.
            #expect(try !holds(home, ["TOKEN_IN_ENV"]).isEmpty)
            #expect(try holds(home, [Self.value, String(Self.value.prefix(16)), coded]) == "")
            #expect(try home.terrine("run", "it:1", "--", "cat", "/sum", expect: 0).output.count == 9)

            // Another value is the same step: what it holds is in no key.
            let again = try home.terrine(
                ["build", folder, "-t", "it:1", "--json"], environment: ["TOKEN=another-value-altogether"], expect: 0)
            #expect(try again.json(BuildTests.Built.self).ran.isEmpty)
            let left = FileManager.default.subpaths(atPath: "/dev/shm/terrine-secrets-0") ?? []
            #expect(left == [])
        }
    }

    @Test("what is required and missing stops a build before anything runs, and a failed step does not give it away")
    func missing() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.recipe)
            try home.write("work/files/README", "x\n")
            let run = try home.terrine("build", folder, expect: 1)
            #expect(run.errors.contains("needs the secret TOKEN") && run.errors.contains("--secret TOKEN=file:PATH"))
            #expect(!run.errors.contains("running"))
            let inline = try home.terrine("build", folder, "--secret", "TOKEN=\(Self.value)", expect: 1)
            #expect(!inline.errors.contains(Self.value))
            let unknown = try home.terrine("build", folder, "--secret", "TOKN=env:HOME", expect: 1)
            #expect(unknown.errors.contains("declares no secret `TOKN`"))
            let failed = try home.terrine(["build", folder], environment: ["TOKEN=\(Self.value)x", "LC_ALL=C"], expect: 1)
            #expect(failed.errors.contains("`use` ended with 1"))
            #expect(try holds(home, [Self.value]) == "")
        }
    }
}
