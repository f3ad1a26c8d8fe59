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
        package = archive("app/vendor/greet-1.0.0.tgz", "package", {
            "package.json": json.dumps({"name": "greet", "version": "1.0.0", "main": "index.js"}), "index.js": 'module.exports = () => "hello from npm";\n'})
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
        depends = {"greet": "file:vendor/greet-1.0.0.tgz"}
        write("app/package.json", json.dumps({"name": "app", "version": "1.0.0", "dependencies": depends}))
        write("app/package-lock.json", json.dumps({"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": {
            "": {"name": "app", "version": "1.0.0", "dependencies": depends},
            "node_modules/greet": {"version": "1.0.0", "resolved": depends["greet"], "integrity": integrity}}}))
        """#

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

    @Test("npm, cargo and go install what their lock files say, steps build from it offline, and a wrong hash is refused")
    func lockFiles() throws {
        try Home.with { home in
            try home.write("work/terrine.yaml", Self.recipe)
            let folder = home.path + "/work"
            var made = Command("python3", ["-c", Self.make])
            made.workingFolder = folder
            let result = try made.capture()
            try #require(result.status == .exited(0), "\(result.errors)")
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
}
