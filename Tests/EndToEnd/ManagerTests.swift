import Foundation
import Linux
import Testing

/// Debian's own npm, cargo and go, against registries made of files. It installs a gigabyte of Debian packages, so it runs when asked to:
/// `TERRINE_TEST_MANAGERS=1`.
@Suite("Managers", .serialized, .enabled(if: ProcessInfo.processInfo.environment["TERRINE_TEST_MANAGERS"] != nil && MachineNeeds.met))
struct ManagerTests {
    /// Makes a Go proxy, a local registry of crates and an npm tarball, with projects and lock files for them.
    private static let make = #"""
        import base64, hashlib, io, json, os, tarfile, zipfile
        def write(path, text):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            open(path, "w").write(text)
        def sha(data): return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()
        def h1(lines): return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()
        def archive(path, top, files):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with tarfile.open(path, "w:gz") as tar:
                for name, text in files.items():
                    info = tarfile.TarInfo(top + "/" + name)
                    info.size, info.mode = len(text), 0o755
                    tar.addfile(info, io.BytesIO(text.encode()))
            return open(path, "rb").read()
        # Go: https://go.dev/ref/mod#goproxy-protocol
        module, version = "example.com/greet", "v1.0.0"
        files = {"go.mod": f"module {module}\n\ngo 1.19\n", "greet.go": 'package greet\n\nfunc Hello() string { return "hello from go" }\n'}
        at = f"registry/go/{module}/@v/"
        write(at + "list", version + "\n")
        write(at + version + ".info", json.dumps({"Version": version, "Time": "2024-01-01T00:00:00Z"}))
        write(at + version + ".mod", files["go.mod"])
        with zipfile.ZipFile(at + version + ".zip", "w") as out:
            for name, text in files.items(): out.writestr(f"{module}@{version}/{name}", text)
        write("app/go.mod", f"module example.com/app\n\ngo 1.19\n\nrequire {module} {version}\n")
        write("app/go.sum", f"{module} {version} {h1([f'{sha(files[n])}  {module}@{version}/{n}' + chr(10) for n in sorted(files)])}\n"
              f"{module} {version}/go.mod {h1([sha(files['go.mod']) + '  go.mod' + chr(10)])}\n")
        write("app/main.go", 'package main\n\nimport ("example.com/greet"; "fmt")\n\nfunc main() { fmt.Println(greet.Hello()) }\n')
        # Cargo: https://doc.rust-lang.org/cargo/reference/source-replacement.html#local-registry-sources
        crate = archive("registry/cargo/greet-1.0.0.crate", "greet-1.0.0", {
            "Cargo.toml": '[package]\nname = "greet"\nversion = "1.0.0"\nedition = "2021"\n', "src/lib.rs": 'pub fn hello() -> &\'static str { "hello from rust" }\n'})
        write("registry/cargo/index/gr/ee/greet", json.dumps(
            {"name": "greet", "vers": "1.0.0", "deps": [], "cksum": sha(crate), "features": {}, "yanked": False}) + "\n")
        write("app/Cargo.toml", '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\ngreet = "1"\n')
        write("app/Cargo.lock", 'version = 3\n\n[[package]]\nname = "app"\nversion = "0.1.0"\ndependencies = [\n "greet",\n]\n\n[[package]]\nname = "greet"\n'
              f'version = "1.0.0"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "{sha(crate)}"\n')
        write("app/src/main.rs", 'fn main() { println!("{}", greet::hello()); }\n')
        # npm: https://docs.npmjs.com/cli/v9/configuring-npm/package-lock-json
        package = archive("app/tarballs/greet-1.0.0.tgz", "package", {
            "package.json": json.dumps({"name": "greet", "version": "1.0.0", "main": "index.js"}), "index.js": 'module.exports = () => "hello from npm";\n'})
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
        depends = {"greet": "file:tarballs/greet-1.0.0.tgz"}
        write("app/package.json", json.dumps({"name": "app", "version": "1.0.0", "dependencies": depends}))
        write("app/package-lock.json", json.dumps({"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": {
            "": {"name": "app", "version": "1.0.0", "dependencies": depends},
            "node_modules/greet": {"version": "1.0.0", "resolved": depends["greet"], "integrity": integrity}}}))
        """#

    /// Registries with a tool that needs a library, of which the versions `arguments` are there: `tool=1.0.0 greet=1.0.0 …`.
    private static let makeLists = #"""
        import gzip, hashlib, io, json, os, shutil, sys, tarfile, zipfile
        def write(path, text):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            open(path, "w").write(text)
        def archive(path, top, files):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with tarfile.open(fileobj=(data := io.BytesIO()), mode="w") as tar:
                for name, text in files.items():
                    info = tarfile.TarInfo(top + "/" + name)
                    info.size, info.mode = len(text), 0o644
                    tar.addfile(info, io.BytesIO(text.encode()))
            # The same bytes each time: gzip would write down the time.
            bytes = gzip.compress(data.getvalue(), mtime=0)
            open(path, "wb").write(bytes)
            return bytes
        for name in ("npm", "crates", "mods"): shutil.rmtree("lists/" + name, ignore_errors=True)
        def npm(name, version, **more):
            archive(f"lists/npm/{name.replace('/', '-')}-{version}.tgz", "package", {
                "package.json": json.dumps({"name": name, "version": version, "main": "index.js", **more}),
                "index.js": f"module.exports = () => '{name} {version}';\n",
                "run.js": f"#!/usr/bin/env node\nconsole.log('{name} {version},', require('greet')());\n"})
        def crate(name, version, deps, main):
            bytes = archive(f"lists/crates/{name}-{version}.crate", f"{name}-{version}", {
                "Cargo.toml": f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n[dependencies]\n' + "".join(f'{d} = "1"\n' for d in deps),
                "src/main.rs" if deps else "src/lib.rs": main})
            at = f"lists/crates/index/{name[:2]}/{name[2:4]}/{name}"
            os.makedirs(os.path.dirname(at), exist_ok=True)
            deps = [dict(name=d, req="1", features=[], optional=False, default_features=True, target=None, kind="normal") for d in deps]
            line = dict(name=name, vers=version, deps=deps, cksum=hashlib.sha256(bytes).hexdigest(), features={}, yanked=False)
            open(at, "a").write(json.dumps(line) + "\n")
        def module(name, version, files, needs=""):
            at = f"lists/mods/{name}/@v/"
            mod = f"module {name}\n\ngo 1.19\n{needs}"
            os.makedirs(at, exist_ok=True)
            open(at + "list", "a").write(f"v{version}\n")
            write(at + f"v{version}.info", json.dumps({"Version": f"v{version}", "Time": "2024-01-01T00:00:00Z"}))
            write(at + f"v{version}.mod", mod)
            with zipfile.ZipFile(at + f"v{version}.zip", "w") as out:
                for file, text in {**files, "go.mod": mod}.items(): out.writestr(zipfile.ZipInfo(f"{name}@v{version}/{file}"), text)
        npm("@team/box", "1.0.0", scripts={"postinstall": "echo made > made"})
        for name, version in (word.split("=") for word in sys.argv[1:]):
            if name == "greet":
                npm(name, version)
                crate(name, version, [], f'pub fn hello() -> &\'static str {{ "greet {version}" }}\n')
                module("example.com/greet", version, {"greet.go": f'package greet\n\nfunc Hello() string {{ return "greet {version}" }}\n'})
            else:
                npm(name, version, dependencies={"greet": "^1.0.0"}, bin={"npmtool": "run.js"})
                crate(name, version, ["greet"], f'fn main() {{ println!("tool {version}, {{}}", greet::hello()); }}\n')
                main = f'package main\n\nimport ("example.com/greet"; "fmt")\n\nfunc main() {{ fmt.Println("tool {version},", greet.Hello()) }}\n'
                module("example.com/tool", version, {"cmd/gotool/main.go": main}, "\nrequire example.com/greet v1.1.0\n")
        """#

    private static let listRecipe = """
        version: 1
        name: lists
        base: debian-bookworm
        packages:
          apt: [cargo, golang-go, nodejs, npm]
          npm: { packages: [tool, "@team/box@1.0.0"], registry: lists/npm }
          cargo: { packages: [tool], registry: lists/crates }
          go: { packages: [example.com/tool/cmd/gotool@latest], registry: lists/mods }
        env: { ROUND: "1" }
        workspace: { from: app }

        """

    /// What the tools of the three managers say.
    private static func said(_ home: Home) throws -> [String] {
        try home.terrine("run", "lists", "--", "sh", "-c", "npmtool; /opt/cargo/bin/tool; gotool; cat $(npm root -g)/@team/box/made", expect: 0).lines
    }

    private static func python(_ script: String, _ arguments: [String], in folder: String) throws {
        var made = Command("python3", ["-c", script] + arguments)
        made.workingFolder = folder
        let result = try made.capture()
        try #require(result.status == .exited(0), "\(result.errors)")
    }

    /// Lists: exact versions and hashes of all that they come to are in terrine.lock.
    private func lists(_ home: Home) throws {
        let folder = home.path + "/work"
        func recipe(_ round: Int) throws {
            try home.write("work/terrine.yaml", Self.listRecipe.replacingOccurrences(of: "\"1\"", with: "\"\(round)\""))
        }
        func say(_ tool: String, _ greet: String) -> [String] { Array(repeating: "tool \(tool), greet \(greet)", count: 3) + ["made"] }
        try Self.python(Self.makeLists, ["tool=1.0.0", "tool=1.2.0", "greet=1.0.0", "greet=1.1.0"], in: folder)
        try recipe(1)
        try home.terrine("build", folder, expect: 0)
        #expect(try Self.said(home) == say("1.2.0", "1.1.0"))
        let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
        for line in [
            "- tool 1.2.0 sha512-", " tool/node_modules/greet\n", "- greet 1.1.0 sha256:", "- example.com/tool v1.2.0 h1:",
            "- example.com/greet v1.1.0/go.mod h1:",
        ] {
            #expect(lock.contains(line), "\(line)")
        }
        #expect(try home.terrine("build", folder, "--locked", "--json", expect: 0).json(BuildTests.Built.self).ran.isEmpty)

        // What is new in the registries is nothing to a layer that is made anew, with the caches or without.
        try Self.python(Self.makeLists, ["tool=1.0.0", "tool=1.2.0", "tool=1.3.0", "greet=1.1.0", "greet=1.2.0"], in: folder)
        try recipe(2)
        try home.terrine("build", folder, "--locked", "--offline", expect: 0)
        try recipe(3)
        try FileManager.default.removeItem(atPath: home.path + "/caches/recipes")
        try home.terrine("build", folder, "--locked", expect: 0)
        #expect(try Self.said(home) == say("1.2.0", "1.1.0"))

        // One package of the three lists: what it needs keeps its version, but for npm, where it lies below it and goes with it.
        try home.terrine("build", folder, "--update", "tool", "--update", "example.com/tool", expect: 0)
        #expect(try Self.said(home) == ["tool 1.3.0, greet 1.2.0"] + say("1.3.0", "1.1.0").dropFirst())

        for (number, place, name) in [
            (4, "npm/greet-1.2.0.tgz", "greet"), (5, "crates/greet-1.1.0.crate", "greet"), (6, "mods/example.com/greet/@v/v1.1.0.zip", "example.com/greet"),
        ] {
            try recipe(number)
            try FileManager.default.removeItem(atPath: home.path + "/caches/recipes")
            try FileManager.default.moveItem(atPath: "\(folder)/lists/\(place)", toPath: folder + "/away")
            let run = try home.terrine("build", folder, expect: 1)
            #expect(run.errors.contains("\(name) ") && run.errors.contains("terrine build --update \(name)"), "\(place): \(run.errors)")
            try FileManager.default.moveItem(atPath: folder + "/away", toPath: "\(folder)/lists/\(place)")
        }
        // Another file of the same version is not installed.
        try recipe(7)
        try FileManager.default.removeItem(atPath: home.path + "/caches/recipes")
        try Self.python(
            "import sys; path = sys.argv[1]; data = open(path, 'rb').read(); open(path, 'wb').write(data[:4] + b'1234' + data[8:])",
            ["lists/npm/greet-1.2.0.tgz"],
            in: folder)
        #expect(try home.terrine("build", folder, expect: 1).errors.contains("the registry has another file of that version"))
    }

    private static let recipe = """
        version: 1
        name: managers
        base: debian-bookworm
        packages:
          apt: [cargo, golang-go, nodejs, npm]
          go: { project: ., registry: registry/go }
          cargo: { project: ., registry: registry/cargo }
          npm: { project: . }
        workspace: { from: app }
        steps:
          - { name: go, run: go build -o /usr/local/bin/in-go ., inputs: [go.mod, go.sum, main.go], network: none }
          - { name: rust, run: cargo build --locked --offline, inputs: [Cargo.toml, Cargo.lock, "src/**"], network: none }
        checks:
          - { run: in-go, expect: { output: { contains: hello from go } } }
          - { run: ./target/debug/app, expect: { output: { contains: hello from rust } } }
          - { run: node -p 'require("greet")()', expect: { output: { contains: hello from npm } } }

        """

    @Test("npm, cargo and go install what their lock files say, and of lists what terrine.lock says; steps build from it offline; a wrong hash is refused")
    func locks() throws {
        // One home for all: it takes minutes to install the managers.
        try Home.with { home in
            // On a host with other work to do it takes long to unpack some 800 packages.
            home.limit = 1800
            try lockFiles(home)
            try FileManager.default.removeItem(atPath: home.path + "/work/terrine.lock")
            try lists(home)
        }
    }

    private func lockFiles(_ home: Home) throws {
        try home.write("work/terrine.yaml", Self.recipe)
        let folder = home.path + "/work"
        try Self.python(Self.make, [], in: folder)
        let first = try home.terrine("build", folder, "--json", expect: 0).json(BuildTests.Built.self)
        let again = try home.terrine("build", folder, "--json", "--locked", expect: 0).json(BuildTests.Built.self)
        #expect(again.ran.isEmpty && again.digest == first.digest)
        let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
        #expect(lock.contains("- golang-go:amd64 ") && lock.contains("- base-files:amd64 "))

        for (file, of, wrong) in [
            ("app/go.sum", "h1:", "h1:AAAA"), ("app/Cargo.lock", "checksum = \"", "checksum = \"0000"), ("app/package-lock.json", "sha512-", "sha512-AAAA"),
        ] {
            let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            var bad = text
            let range = try #require(text.range(of: of))
            let end = text.index(range.upperBound, offsetBy: 4)
            bad.replaceSubrange(range.lowerBound..<end, with: wrong)
            try home.write("work/\(file)", bad)
            #expect(try home.terrine("build", folder).code == 1, "\(file)")
            try home.write("work/\(file)", text)
        }
    }
}
