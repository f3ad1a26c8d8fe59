import Foundation
import Linux
import Testing

@Suite("Matrices, variables and several recipes", .serialized, .enabled(if: MachineNeeds.met))
struct LanguageTests {
    struct Many: Decodable {
        struct Image: Decodable {
            struct Failure: Decodable { let code: String }
            let image: String
            let digest: String?
            let values: [String: String]?
            let steps: [BuildTests.Built.Step]?
            let error: Failure?
        }
        let images: [Image]
    }

    private static let more = """
        variables: { GREETING: hello }
        matrix: { colour: [red, green, blue] }
        env: { COLOUR: "${colour}" }
        steps:
          - { name: common, run: "echo $GREETING > /greeting", inputs: [], env: { COLOUR: none } }
          - { name: own, run: "echo $colour > /colour", inputs: [] }

        """

    @Test("a matrix is built side by side into images of its values; one that fails leaves the others; plan shows all")
    func matrix() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.more)
            let built = try home.terrine("build", folder, "--json", expect: 0).json(Many.self)
            #expect(built.images.map(\.image) == ["small-red:latest", "small-green:latest", "small-blue:latest"])
            #expect(built.images.map(\.values) == [["colour": "red"], ["colour": "green"], ["colour": "blue"]])
            let seen = try home.terrine("run", "small-green", "--", "sh", "-c", "cat /greeting /colour; echo $COLOUR", expect: 0)
            #expect(seen.output == "hello\ngreen\ngreen\n")

            let plan = try home.terrine("plan", folder, "--json", expect: 0).json(Many.self)
            #expect(plan.images.map(\.image) == ["small-red", "small-green", "small-blue"])
            #expect(plan.images.allSatisfy { ($0.steps ?? []).allSatisfy(\.cached) })
            let one = try home.terrine("build", folder, "--only", "colour=red", "--set", "GREETING=bye", "--json", expect: 0).json(Many.self)
            #expect(one.images.map(\.image) == ["small-red:latest"])
            #expect(try home.terrine("run", "small-red", "--", "cat", "/greeting", expect: 0).output == "bye\n")

            let bad = try home.terrine("build", folder, "--set", "GREETING=x", "--set", "user=nobody-here", "--json", expect: 1).json(Many.self)
            #expect(bad.images.allSatisfy { $0.error != nil && $0.digest == nil })
            #expect(try home.terrine("build", folder, "-t", "x:1", expect: 2).errors.contains("--tag names one image"))
            #expect(try home.terrine("run", folder, "--", "true").errors.contains("makes 3 images"))
        }
    }

    @Test("progress of several images says whose it is")
    func progress() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.more)
            let run = try home.terrine("build", folder, "--jobs", "1", expect: 0)
            #expect(run.errors.contains("small-red | ") && run.errors.contains("small-blue | "))
            #expect(run.lines.count == 3 && run.lines[0].hasPrefix("small-red:latest sha256:"))
            let lines = try home.terrine("build", folder, "--no-cache", "--progress", "json", expect: 0).errors.split(separator: "\n")
            #expect(lines.contains { $0.contains("\"event\":\"finished\"") && $0.contains("\"image\":\"small-green\"") })
        }
    }

    @Test("the recipes of .terrine are about the repository: one by its file, all by --all; shell --failed finds what failed")
    func several() throws {
        try Home.with { home in
            let folder = try home.writeRecipe("steps: [{ name: s, run: cat notes > /notes, inputs: [notes] }]\n")
            try home.write("work/notes", "noted\n")
            try home.write(
                "work/.terrine/bad.yaml",
                "version: 1\nname: bad\nextends: ../terrine.yaml\ninclude: parts/env.yaml\nsteps: [{ name: bad, run: \"echo $WORD > /word; false\", inputs: [] }]\n"
            )
            try home.write("work/.terrine/parts/env.yaml", "variables: { WORD: given }\n")
            let run = try home.terrine("build", folder, "--all", "--json", expect: 1).json(Many.self)
            #expect(run.images.map(\.image) == ["small:latest", "bad"] && run.images.map { $0.error?.code } == [nil, "stepFailed"])
            #expect(try home.terrine("run", "small", "--", "cat", "/notes", expect: 0).output == "noted\n")
            #expect(try home.terrine(["shell", "--failed", folder], input: "cat /word\n", expect: 0).output.contains("given"))
            #expect(try home.terrine("build", folder + "/.terrine/bad.yaml").code == 1)
            #expect(try home.terrine("plan", folder, "--all", expect: 0).output.contains("bad:"))
        }
    }

    @Test("a mistake in a fragment is told in the fragment")
    func fragment() throws {
        try Home.with { home in
            try home.write("work/terrine.yaml", "version: 1\nname: a\nbase: debian-bookworm\ninclude: ci/part.yaml\n")
            try home.write("work/ci/part.yaml", "packages:\n  apt: git\n")
            let run = try home.terrine("plan", home.path + "/work", expect: 2)
            #expect(run.errors.contains("work/ci/part.yaml:2:8: error: `packages.apt` is `git`"))
        }
    }

    @Test("a fragment and a team's recipe are read out of an image, through links, and never run or mounted")
    func fragmentsOfImages() throws {
        try Home.with { home in
            let team = try home.writeRecipe(
                """
                workspace: { path: /work }
                env: { TEAM: blue }
                files:
                  - { from: part.yaml, to: /usr/share/parts/part.yaml }
                steps:
                  - { name: link, run: "mkdir -p /etc/parts && ln -s ../../usr/share/parts/part.yaml /etc/parts/now.yaml", inputs: [] }

                """, in: "team")
            try home.write("team/part.yaml", "env: { PART: from-image }\n")
            try home.terrine("build", team, "-t", "team:1", expect: 0)

            let shop = home.path + "/shop"
            try home.write(
                "shop/terrine.yaml",
                """
                version: 1
                name: shop
                base: team:1
                include: { image: "team:1", path: /etc/parts/now.yaml }

                """)
            try home.terrine("build", shop, "-t", "shop:1", expect: 0)
            #expect(try home.terrine("run", "shop:1", "--", "sh", "-c", "echo $TEAM $PART", expect: 0).output == "blue from-image\n")

            try home.write("shop/terrine.yaml", "version: 1\nname: shop\nbase: team:1\nextends: { image: \"team:1\", without: { files: all, steps: all } }\n")
            let extended = try home.terrine("plan", shop, "--json")
            #expect(extended.code == 0, "\(extended.errors)")
            try home.write("shop/terrine.yaml", "version: 1\nname: shop\nbase: team:1\ninclude: { image: \"team:1\", path: /nowhere.yaml }\n")
            let missing = try home.terrine("plan", shop, expect: 2)
            #expect(missing.errors.contains("the image team:1 has no file /nowhere.yaml"), "\(missing.errors)")
        }
    }
}
