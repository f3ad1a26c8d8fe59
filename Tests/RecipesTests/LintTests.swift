import Foundation
import Testing

@testable import Recipes

@Suite("The linter") struct LintTests {
    private func findings(_ text: String, files: [String: String] = [:]) throws -> [LintFinding] {
        try withFolder(files.merging(["terrine.yaml": text]) { $1 }) { folder in
            RecipeLint.findings(in: try Recipe.loadAll(folder, Recipe.Options()))
        }
    }

    private static let text = """
        version: 1
        name: shop
        base: debian-bookworm
        variables: { USED: a, UNUSED: b, ASKED: { type: switch, default: true } }
        packages:
          apt: [git, "curl=7.88.1-10", make]
          pip: { packages: [ruff, "idna==3.7"], requirements: requirements.txt }
        repositories:
          - { url: https://git.example.com/a, path: /srv/a, ref: main }
          - { url: https://git.example.com/b, path: /srv/b, ref: v1.2 }
          - { url: https://git.example.com/c, path: /srv/c, ref: 0123456789abcdef0123456789abcdef01234567 }
          - { url: https://git.example.com/d, path: /srv/d }
        env: { API_TOKEN: s3cr3t-value, TOKEN_FILE: /run/token, KEY: AKIAIOSFODNN7EXAMPLE, X: "${USED}" }
        steps:
          - name: login
            run: curl https://me:password@example.com
          - { name: fine, run: "true", inputs: [], when: { ASKED: true } }

        """

    @Test("every rule finds what it is for, at its place, and nothing else")
    func rules() throws {
        let found = try findings(Self.text, files: ["requirements.txt": "# all\nrequests\nidna==3.7\n-r more.txt\n", "more.txt": ""])
        #expect(
            found.map { "\($0.rule.rawValue) \($0.line):\($0.column)" }
                == [
                    "unused-variable 4:23", "unpinned-apt 6:8", "unpinned-pip 7:20", "unpinned-pip 7:55", "moving-ref 9:58", "moving-ref 12:5",
                    "secret-in-text 13:19", "secret-in-text 13:62", "every-file 15:5", "secret-in-text 16:10",
                ], "\(found.map(\.description).joined(separator: "\n"))")
        #expect(found[1].message == "2 packages have no version: git, make")
        #expect(found[3].message == "a package has no version: requests in requirements.txt")
    }

    @Test("a stand-in may be called as a secret is, as long as it says itself that it is none")
    func standIns() throws {
        func rules(_ value: String) throws -> [String] {
            let text = Fixtures.head + "stand_ins:\n  - { name: API_TOKEN, for: a token, reason: tests read it, value: \(value) }\n"
            return try findings(text).map { "\($0.rule.rawValue) \($0.line):\($0.column)" }
        }
        #expect(try rules("placeholder-not-a-secret").isEmpty)
        #expect(try rules("0f3ac9e2b1") == ["secret-in-text 5:68"])
        #expect(try rules("AKIAIOSFODNN7EXAMPLE") == ["secret-in-text 5:68"])
    }

    @Test("a comment with a reason silences a rule on its line or the next; one without is found itself")
    func comments() throws {
        let head = "version: 1\nname: shop\nbase: debian-bookworm\npackages:\n"
        #expect(try findings(head + "  # lint: allow unpinned-apt the base is dated\n  # and more\n  apt: [git]\n").isEmpty)
        #expect(try findings(head + "  apt: [git]  # lint: allow unpinned-apt the base is dated\n").isEmpty)
        #expect(try findings(head + "  apt: [git]  # lint: allow unpinned-apt\n").map(\.rule) == [.badComment])
        #expect(try findings(head + "  apt: [git]  # lint: allow unpinned-atp so\n").map(\.rule) == [.unpinnedApt, .badComment])
        #expect(try findings(head + "  # lint: allow moving-ref so\n  apt: [git]\n").map(\.rule) == [.unpinnedApt])
        #expect(try findings(head + "  apt: [git]\n", files: ["terrine.lock": ""]).isEmpty)
    }
}
