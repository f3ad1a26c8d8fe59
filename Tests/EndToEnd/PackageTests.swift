import Foundation
import Glibc
import Linux
import Testing

/// A package manager of a few lines of shell, over a folder of files: what every manager goes through, without a registry of the world.
private let boxes = """
    version: 1
    name: boxes
    program: sh
    items: { shape: "a box such as red, or red@1", pattern: "[a-z]+(@[0-9]+)?" }
    caches: [{ name: boxes, concurrent: true }]
    resolve: |
      echo asked >> "$registry_folder/log"
      : > "$lock"
      for box in "$@"; do
        name=${box%@*}
        version=${box#"$name"}
        version=${version#@}
        old=$(sed -n "s/^$name \\\\([0-9]*\\\\) .*/\\\\1/p" "$previous")
        for candidate in $version $old $(ls "$registry_folder" | sed -n "s/^$name@//p" | sort -rn); do
          [ ! -e "$registry_folder/$name@$candidate" ] || break
        done
        sum=$(sha256sum "$registry_folder/$name@$candidate")
        printf '%s %s sha256:%s\\n' "$name" "$candidate" "${sum%% *}" >> "$lock"
      done
    install: |
      mkdir -p /boxes
      echo installed >> "$registry_folder/log"
      while read -r name version hash; do
        if [ ! -e "$registry_folder/$name@$version" ]; then
          gone "$name" "$version" "there is $(ls "$registry_folder" | grep "^$name@" | tr '\\n' ' ')"
          exit 1
        fi
        keep "$registry_folder/$name@$version" "$name"
        printf '%s  %s\\n' "${hash#sha256:}" "$cache/$name" | sha256sum -c >/dev/null
        cp "$cache/$name" "/boxes/$name"
      done < "$lock"
    list: |
      for file in /boxes/*; do printf '%s %s\\n' "${file##*/}" "$(cat "$file")"; done

    """

@Suite("Packages", .serialized, .enabled(if: MachineNeeds.met))
struct PackageTests {
    typealias Built = BuildTests.Built

    static func withBoxes(_ body: (Home, String) throws -> Void) throws {
        try Home.with { home in
            let folder = try home.writeRecipe("packages: { boxes: { packages: [red, blue], registry: shelf } }\nworkspace: { from: files }\n")
            try home.write("work/Managers/boxes.yaml", boxes)
            try home.write("work/files/README", "x\n")
            for box in ["red@1", "red@2", "blue@1"] { try home.write("work/shelf/\(box)", box) }
            chmod(folder + "/shelf", 0o777)
            try home.write("work/shelf/log", "")
            chmod(folder + "/shelf/log", 0o666)
            try body(home, folder)
        }
    }

    private static func build(_ home: Home, _ folder: String, _ more: [String] = []) throws -> Built {
        try home.terrine(["build", folder, "-t", "it:1", "--json"] + more, expect: 0).json()
    }

    private static func box(_ home: Home, _ name: String) throws -> String { try home.terrine("run", "it:1", "--", "cat", "/boxes/\(name)", expect: 0).output }

    @Test("a build writes a lock; another store installs exactly that; an update takes what there is now, of one package or of all")
    func lock() throws {
        try Self.withBoxes { home, folder in
            let first = try Self.build(home, folder)
            #expect(try Self.box(home, "red") == "red@2")
            let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
            #expect(lock.contains("- red 2 sha256:") && lock.contains("- blue 1 sha256:"))
            // The lock that this build wrote does not make the next one anything to do.
            let again = try Self.build(home, folder)
            #expect(again.ran.isEmpty && again.digest == first.digest)

            try home.write("work/shelf/red@3", "red@3")
            try home.write("work/shelf/blue@2", "blue@2")
            try Home.with { other in
                _ = try Self.build(other, folder)
                #expect(try Self.box(other, "red") == "red@2")
            }
            #expect(try Self.build(home, folder).ran.isEmpty)
            #expect(try Self.build(home, folder, ["--update", "blue"]).ran.isEmpty == false)
            #expect(try [Self.box(home, "red"), Self.box(home, "blue")] == ["red@2", "blue@2"])
            _ = try Self.build(home, folder, ["--update"])
            #expect(try Self.box(home, "red") == "red@3")
            // Renewed, and the same: the layer that there is stays.
            #expect(try Self.build(home, folder, ["--update"]).ran.isEmpty)
            let unknown = try home.terrine("build", folder, "--update", "bleu", expect: 2)
            #expect(unknown.errors.contains("did you mean `blue`?"))
            // A name with a slash is no path, unless there is one.
            #expect(try home.terrine("build", folder, "--update", "example.com/tool", expect: 2).errors.contains("there is no `example.com/tool` to update"))
        }
    }

    @Test("a locked package that is gone is told by name, with what mends it")
    func gone() throws {
        try Self.withBoxes { home, folder in
            _ = try Self.build(home, folder)
            try FileManager.default.removeItem(atPath: folder + "/shelf/red@2")
            try Home.with { other in
                let run = try other.terrine("build", folder, expect: 1)
                #expect(run.errors.contains("red 2 (there is red@1") && run.errors.contains("terrine build --update red"))
                #expect(try other.terrine("build", folder, "--no-lock", "-t", "it:1", expect: 0).code == 0)
                #expect(try Self.box(other, "red") == "red@1")
            }
            try home.write(
                "work/terrine.yaml", String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8).replacingOccurrences(of: "[red, blue]", with: "[red]"))
            let run = try home.terrine("build", folder, "--locked", expect: 2)
            #expect(run.errors.contains("does not hold what `boxes: red` asks for"))
        }
    }

    @Test("the images of a matrix have the whole lock in their workspaces, also when one is built at a time")
    func matrixLock() throws {
        try Self.withBoxes { home, folder in
            try home.writeRecipe("packages: { boxes: { packages: [\"${box}\"], registry: shelf } }\nmatrix: { box: [red, blue] }\n")
            try home.write("work/.terrineignore", "base.tar\nshelf\n")
            try home.terrine("build", folder, "--jobs", "1", expect: 0)
            let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
            #expect(lock.contains("small-red:") && lock.contains("small-blue:"))
            for image in ["small-red", "small-blue"] {
                #expect(try home.terrine("run", image, "--", "cat", "/workspace/terrine.lock", expect: 0).output == lock)
            }
            let again = try home.terrine("build", folder, "--json", expect: 0).json(LanguageTests.Many.self)
            #expect(again.images.allSatisfy { ($0.steps ?? []).allSatisfy(\.cached) })
        }
    }

    @Test("a CI job of a matrix without a committed lock lays the whole one into each workspace, and so makes the images that a build with it does")
    func matrixLockInCI() throws {
        try Self.withBoxes { home, folder in
            try home.writeRecipe("packages: { boxes: { packages: [\"${box}\"], registry: shelf } }\nmatrix: { box: [red, blue] }\n")
            try home.write("work/.terrineignore", "base.tar\nshelf\n")
            struct Report: Decodable {
                struct Image: Decodable {
                    let digest: String?
                    let images: [String]
                }
                let images: [Image]
            }
            for jobs in ["1", "2"] {
                try Home.with { other in
                    // Nothing that was locked before, and nothing that was built.
                    if jobs == "2" { try FileManager.default.removeItem(atPath: folder + "/terrine.lock") }
                    let run = try other.terrine("ci", folder, "--branch", "main", "--jobs", jobs, "--json", expect: 0)
                    let report = try run.json(Report.self)
                    let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
                    #expect(lock.contains("small-red:") && lock.contains("small-blue:"))
                    #expect(report.images.map { $0.images.first } == ["small-red:branch-main", "small-blue:branch-main"])
                    for image in ["small-red", "small-blue"] {
                        #expect(try other.terrine("run", image + ":branch-main", "--", "cat", "/workspace/terrine.lock", expect: 0).output == lock)
                    }
                    let again = try other.terrine("build", folder, "--json", expect: 0).json(LanguageTests.Many.self)
                    #expect(again.images.allSatisfy { ($0.steps ?? []).allSatisfy(\.cached) } && again.images.map(\.digest) == report.images.map(\.digest))
                }
            }
            #expect(try home.terrine("ci", folder, "--jobs", "0", expect: 2).errors.contains("--jobs is 0"))
        }
    }

    @Test("without a lock, the plan tells the age of a package layer, and --refresh-older renews it")
    func age() throws {
        try Self.withBoxes { home, folder in
            _ = try Self.build(home, folder, ["--no-lock"])
            #expect(try home.terrine("plan", folder, expect: 0).output.contains("cached, resolved"))
            try home.write("work/shelf/red@3", "red@3")
            #expect(try Self.build(home, folder, ["--no-lock", "--refresh-older", "1h"]).ran.isEmpty)
            sleep(2)
            #expect(try home.terrine("plan", folder, "--refresh-older", "1s", expect: 0).output.contains("resolved 0 hours ago"))
            #expect(try Self.build(home, folder, ["--no-lock", "--refresh-older", "1s"]).ran.contains("boxes: red, blue"))
            #expect(try Self.box(home, "red") == "red@3")
            #expect(try String(contentsOfFile: folder + "/shelf/log", encoding: .utf8) == "asked\ninstalled\nasked\ninstalled\n")
        }
    }

    @Test("a cache is seen by the next build and is in no layer; one that is not made for it is used by one step at a time")
    func caches() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(
                """
                workspace: { from: files }
                steps:
                  - name: count
                    run: |
                      cd /dev/terrine/caches/own
                      [ ! -e busy ] || { echo two at once; exit 1; }
                      touch busy
                      sleep 1
                      n=$(cat n 2>/dev/null || echo 0)
                      echo $((n + 1)) > n
                      echo cache-bytes-of-this-test > kept
                      cat n > /count
                      rm busy
                    inputs: []
                    caches: [own]

                """)
            try home.write("work/files/README", "x\n")
            // Two builds at once, of steps that differ.
            let script = """
                "$1" build "$2" -t a:1 -q & one=$!
                "$1" build "$2" -t b:1 -q --set timeout=50s --set env.OTHER=1 & two=$!
                wait $one && wait $two
                """
            var command = Command("sh", ["-c", script, "sh", Home.program, folder])
            command.environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" } + ["TERRINE_HOME=\(home.path)"]
            let run = try command.capture()
            #expect(run.status == .exited(0), "\(run.errors)")
            let counts = try ["a:1", "b:1"].map { try home.terrine("run", $0, "--", "cat", "/count", expect: 0).output }
            #expect(counts.sorted() == ["1\n", "2\n"])
            #expect(try home.terrine("run", "a:1", "--", "find", "/", "-xdev", "-name", "kept", expect: 0).output == "")
        }
    }
}
