import Foundation
import TestSupport
import Testing

@testable import Recipes

@Suite("The formatter") struct FormatTests {
    private func formatted(_ text: String) throws -> String { try RecipeFormat.formatted(text, file: "terrine.yaml") }

    @Test("keys come in order, quotes where they are needed, two spaces a level; comments stay with what they are about")
    func whole() throws {
        let old = """
            # About this recipe.
            # In two lines.

            version: 1
            base:   'debian-bookworm'   # the stable one
            name: "shop"


            # What is installed.
            packages: # by manager
                pip:
                    - "requests==2.32.3"
                apt: [ git,   'curl' ]
            env: {PORT: "8080", A: 'it is "this"'}
            steps:
            # The first.
            - run: |
                make -j2

                make check
              name: compile   # named

              inputs: [Makefile,
                       "src/**",  # all of it
                       '!src/gen/**']
              # At the end of the step.
            # Of the second.
            - {name: b, run: "make: b"}
            # The end.
            """
        let new = """
            # About this recipe.
            # In two lines.

            version: 1
            name: shop
            base: debian-bookworm  # the stable one

            # What is installed.
            packages:  # by manager
              apt: [git, curl]
              pip:
                - requests==2.32.3
            env: { PORT: "8080", A: it is "this" }
            steps:
              # The first.
              - name: compile  # named
                run: |
                  make -j2

                  make check

                inputs:
                  - Makefile
                  - src/**  # all of it
                  - "!src/gen/**"
                # At the end of the step.
              # Of the second.
              - { name: b, run: "make: b" }
            # The end.

            """
        #expect(try formatted(old) == new)
        #expect(try formatted(new) == new)
    }

    @Test("what is formatted once stays as it is, and means the same", arguments: Fixtures.names("valid"))
    func stable(_ name: String) throws {
        let once = try formatted(Fixtures.text("valid/\(name)"))
        #expect(try formatted(once) == once)
        _ = try Recipe.parseAll(once, file: "terrine.yaml", folder: Fixtures.beside, Recipe.Options())
    }

    @Test(
        "texts keep every letter",
        arguments: [
            "\"0644\"", "'3.10'", "\"yes\"", "'~'", "\"a: b\"", "'#x'", "\"tab\\there\"", "\"two\\nlines\"", "\"\\u0001\"", "'it''s'", "a b  c", "\"\"", "-1",
            "'- a'",
            "\"${A}\"", "é", "\"back\\\\slash\"", "'a: \"b\" ''c'''", "[\"a,b\", '{x}', \"c:\"]", "|\n    a\n\n    b\n\n", "|-\n    a", "|+\n    a\n\n",
            ">\n    a\n    b\n\n    c\n",
            "|2\n      indented\n    less\n", "a\n    folded\n    plain",
        ])
    func scalars(_ value: String) throws {
        let text = "env:\n  A: \(value)\nzz: 1\n"
        let new = try formatted(text)
        #expect(try formatted(new) == new)
    }

    @Test("anchors and aliases are kept; what cannot be formatted is left with a reason")
    func rare() throws {
        let text = "env: &env { A: a }\nservices:\n  - { name: s, run: a, env: *env }\n"
        #expect(try formatted(text) == text)
        #expect(throws: RecipeDiagnostics.self) { try formatted("a: 1\na: 2\n") }
        #expect(throws: RecipeDiagnostics.self) { try formatted("a: [\n") }
        #expect(throws: RecipeDiagnostics.self) { try formatted("a: !x b\n") }
    }

    @Test("whatever the bytes, the result means the same and is stable, or there is an error")
    func fuzz() throws {
        let whole = try Fixtures.names("valid").map { Array(try Fixtures.text("valid/\($0)").utf8) }
        Fuzzer.run("formatter", whole) { bytes in
            let once = try RecipeFormat.formatted(String(decoding: bytes, as: UTF8.self), file: "terrine.yaml")
            let twice = try RecipeFormat.formatted(once, file: "terrine.yaml")
            #expect(once == twice, "\(String(decoding: bytes, as: UTF8.self))")
        }
    }
}
