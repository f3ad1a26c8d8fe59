import Foundation
import Glibc
import Linux
import Testing

/// Images that leave and come in, through the command line and the programs that others have.
@Suite("Export and import", .serialized, .enabled(if: MachineNeeds.met))
struct ExchangeTests {
    private struct Imported: Decodable {
        let digest: String
        let format: String
        let foreign: Bool
        let notes: [String]
    }
    private struct Problem: Decodable {
        struct Parts: Decodable {
            let code: String
            let message: String
            let fix: String?
        }
        let error: Parts
    }

    @discardableResult
    private func shell(_ script: String, in home: Home, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        var command = Command("bash", ["-euo", "pipefail", "-c", script])
        command.workingFolder = home.path
        let result = try command.capture()
        try #require(result.status == .exited(0), "\(result.errors)\(result.output)", sourceLocation: sourceLocation)
        return result.output
    }

    /// An image with all that a file system can hold, made by a tar archive.
    private func withWorld(_ body: (Home) throws -> Void) throws {
        try Home.with { home in
            try home.writeRecipe()
            try shell(
                """
                mkdir world; tar -C world -xf work/base.tar; cd world
                chmod 4755 bin/busybox; chown 12:34 etc/group; ln etc/group etc/group-again; mkfifo fifo; mknod null c 1 3
                truncate -s 5M holes; printf x | dd of=holes bs=1 seek=3000000 conv=notrunc status=none
                setfattr -n user.note -v kept etc/passwd
                python3 -c "import os; os.setxattr('bin/busybox', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))"
                touch -d '2001-02-03 04:05:06.789 UTC' etc/passwd; cd ..
                tar --numeric-owner --xattrs '--xattrs-include=*' --format=pax --sparse -C world -cf world.tar .
                """, in: home)
            let imported = try home.terrine("import", home.path + "/world.tar", "-t", "world:1", "--disk", "1GiB", "--json", expect: 0).json(Imported.self)
            #expect(imported.format == "tar")
            #expect(!imported.foreign)
            #expect(imported.notes.count == 3)
            try body(home)
        }
    }

    @Test("tar, OCI layout and docker archive come back file by file the same, and skopeo and podman take them")
    func files() throws {
        try withWorld { home in
            for file in ["one.tar", "layout", "layout.oci.tar", "saved.docker.tar", "one.tar.gz", "one.tar.zst"] {
                try home.terrine(["export", "world:1", "-o", "\(home.path)/\(file)"] + (file == "layout" ? ["--format", "oci"] : []), expect: 0)
            }
            for (index, file) in ["one.tar", "layout", "layout.oci.tar", "saved.docker.tar", "one.tar.gz", "one.tar.zst"].enumerated() {
                try home.terrine("import", "\(home.path)/\(file)", "-t", "again:\(index)", "--disk", "1GiB", expect: 0)
                try home.terrine("export", "again:\(index)", "-o", "\(home.path)/again-\(index).tar", expect: 0)
                // An archive is a function of its tree: equal bytes are equal files with all that belongs to them.
                try shell("cmp one.tar again-\(index).tar", in: home)
            }
            try shell(
                """
                tar --compare --numeric-owner --xattrs '--xattrs-include=*' -C world -f one.tar
                skopeo --insecure-policy copy oci:layout:world:1 docker-archive:copied.tar:world:1 >&2
                skopeo inspect docker-archive:copied.tar | grep -q '"Architecture"'
                """, in: home)
            try home.terrine("import", home.path + "/copied.tar", "-t", "copied:1", "--disk", "1GiB", expect: 0)
            try home.terrine("export", "copied:1", "-o", home.path + "/copied-again.tar", expect: 0)
            try shell("cmp one.tar copied-again.tar", in: home)
            #expect(try home.terrine("run", "again:1", "--", "cat", "/etc/hostname-that-is-not", expect: 1).code == 1)
            #expect(try home.terrine("run", "again:3", "--", "stat", "-c", "%a %u:%g %h", "/etc/group", expect: 0).output == "644 12:34 2\n")
        }
    }

    @Test("podman runs what was exported, with its environment, its folder and its user")
    func podman() throws {
        try Home.with { home in
            let folder = try home.writeRecipe("env: { GREETING: hello }\nuser: user\nports: [\"8080:80\"]\n")
            try home.terrine("build", folder, "-t", "small:1", expect: 0)
            try home.terrine("export", "small:1", "-o", home.path + "/layout", "--format", "oci", expect: 0)
            try home.terrine("export", "small:1", "-o", home.path + "/small.docker.tar", expect: 0)
            try home.write(
                "containers.conf",
                "[containers]\ndefault_ulimits = [\"nofile=1024:4096\", \"nproc=4096:4096\"]\n"
                    + "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n")
            // podman takes no path of more than 50 characters for its run folder.
            let said = try shell(
                """
                short=$(mktemp -d /tmp/pXXXXXX); trap 'podman --root $short/root --runroot $short/run --tmpdir $short/tmp --storage-driver vfs rm --all --force >/dev/null 2>&1 || :; rm -rf $short' EXIT
                export CONTAINERS_CONF=$PWD/containers.conf
                podman() { command podman --root $short/root --runroot $short/run --tmpdir $short/tmp --storage-driver vfs "$@"; }
                podman load -q -i small.docker.tar >&2
                podman run --rm --network none small:1 sh -c 'echo $GREETING; id -u; pwd'
                podman run --rm --network none oci:layout:small:1 sh -c 'echo $GREETING again'
                podman inspect --type image -f '{{json .Config.ExposedPorts}}' small:1
                """, in: home)
            #expect(said == "hello\n1000\n/workspace\nhello again\n{\"80/tcp\":{}}\n")
        }
    }

    @Test("a raw disk and a qcow2 are whole, come back as foreign images, and run only when they are trusted; rebuilt ones run at once")
    func disks() throws {
        try withWorld { home in
            try home.terrine("export", "world:1", "-o", home.path + "/disk.raw", expect: 0)
            try home.terrine("export", "world:1", "-o", home.path + "/disk.qcow2", expect: 0)
            try home.terrine("export", "world:1", "-o", home.path + "/small.qcow2", "--compress", expect: 0)
            try shell(
                """
                e2fsck -fn disk.raw >&2
                [ "$(stat -c %b disk.raw)" -lt 200000 ]
                for name in disk small; do qemu-img check $name.qcow2 >&2; qemu-img compare disk.raw $name.qcow2 >&2; done
                [ "$(stat -c %s small.qcow2)" -lt "$(stat -c %s disk.qcow2)" ]
                { head -c 1M /dev/zero; cat disk.raw; } > parted.raw
                echo '2048,,L' | sfdisk -q parted.raw
                gzip -c disk.raw > disk.raw.gz
                """, in: home)
            for file in ["disk.raw", "small.qcow2", "parted.raw", "disk.raw.gz"] {
                let imported = try home.terrine("import", "\(home.path)/\(file)", "-t", "foreign:1", "--json", expect: 0).json(Imported.self)
                #expect(imported.foreign, "\(file)")
                for command in [["run", "foreign:1", "--", "true"], ["start", "foreign:1"], ["restore", "foreign:1", "--name", "m"], ["fork", "foreign:1"]] {
                    let refused = try home.terrine(command + (command[0] == "run" ? [] : ["--json"]))
                    #expect(refused.code != 0, "\(command)")
                    if command[0] != "run" {
                        #expect(try refused.json(Problem.self).error.code == "foreign")
                    } else {
                        #expect(refused.errors.contains("--rebuild"))
                    }
                }
            }
            #expect(try home.terrine("ps", "--json", expect: 0).output.contains("\"machines\":[]"))
            #expect(try home.terrine("run", "--trust", "foreign:1", "--", "stat", "-c", "%h", "/etc/group", expect: 0).output == "2\n")
            try home.terrine("start", "foreign:1", "--trust", "--name", "m", expect: 0)
            try home.terrine("checkpoint", "m", "-t", "point:1", expect: 0)
            try home.terrine("fork", "m", "--name", "n", expect: 0)
            #expect(try home.terrine("start", "point:1", "--json").json(Problem.self).error.code == "foreign")
            try home.terrine("rm", "--all", expect: 0)
            let rebuilt = try home.terrine("import", "--rebuild", home.path + "/small.qcow2", "-t", "own:1", "--disk", "1GiB", "--json", expect: 0).json(
                Imported.self)
            #expect(!rebuilt.foreign)
            try home.terrine("export", "own:1", "-o", home.path + "/own.tar", expect: 0)
            try home.terrine("export", "world:1", "-o", home.path + "/world-again.tar", expect: 0)
            try shell("cmp own.tar world-again.tar", in: home)
            try home.terrine("run", "own:1", "--", "true", expect: 0)
        }
    }

    @Test("disks that are damaged, that lead to other files or that hold nothing are refused, and leave nothing in the home")
    func hostileDisks() throws {
        try Home.with { home in
            try shell(
                """
                truncate -s 16M ok.raw; mke2fs -q -t ext4 ok.raw
                cp ok.raw broken.raw; dd if=/dev/urandom of=broken.raw bs=4096 seek=3 count=40 conv=notrunc status=none
                qemu-img create -q -f qcow2 -b /etc/passwd -F raw backed.qcow2
                qemu-img create -q -f qcow2 -o data_file=data.raw,data_file_raw=on external.qcow2 16M
                qemu-img create -q -f qcow2 huge.qcow2 200T
                qemu-img convert -O qcow2 ok.raw cut.qcow2; truncate -s 1000 cut.qcow2
                truncate -s 16M xfs.raw; printf XFSB | dd of=xfs.raw conv=notrunc status=none; printf '\\x55\\xaa' | dd of=xfs.raw bs=1 seek=510 conv=notrunc status=none
                head -c 100000 /dev/urandom > noise; : > empty
                python3 -c "import tarfile,io; t=tarfile.open('evil.tar','w'); i=tarfile.TarInfo('../../escaped'); i.size=1; t.addfile(i, io.BytesIO(b'x')); t.close()"
                """, in: home)
            let cases = [
                ("broken.raw", "damaged"), ("backed.qcow2", "hostile"), ("external.qcow2", "hostile"), ("huge.qcow2", "tooLarge"), ("cut.qcow2", "damaged"),
                ("xfs.raw", "unsupported"), ("noise", "unsupported"), ("empty", "unsupported"), ("evil.tar", "hostile"),
            ]
            for (file, code) in cases {
                let run = try home.terrine("import", "\(home.path)/\(file)", "-t", "evil:1", "--json", expect: 1)
                let error = try run.json(Problem.self).error
                #expect(error.code == code, "\(file): \(run.output)")
                #expect(error.message.contains(file), "\(run.output)")
                #expect(error.fix != nil, "\(run.output)")
            }
            #expect(try home.terrine("images", "--all", "--json", expect: 0).output.contains("\"images\":[]"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: home.path + "/scratch").isEmpty)
            #expect(!FileManager.default.fileExists(atPath: home.path + "/../escaped"))
        }
    }

    @Test("an export that is killed leaves nothing, a file is replaced only by a whole one, and a folder never")
    func interrupted() throws {
        try Home.withImage { home in
            let out = home.path + "/out"
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
            for delay in ["0.02", "0.05", "0.1", "0.2"] {
                for (file, format) in [("a.raw", "raw"), ("a.qcow2", "qcow2"), ("a.tar", "tar"), ("a", "oci")] {
                    try home.write(
                        "kill.sh", "timeout -s KILL \(delay) \(Home.program) --home \(home.path) export small:1 -o \(out)/\(file) --format \(format) || :\n")
                    try shell("bash kill.sh >/dev/null 2>&1; pkill -0 -f nothing-of-that-name || :", in: home)
                    // Either it is there and whole, or it is not.
                    for name in try FileManager.default.contentsOfDirectory(atPath: out) where !name.hasPrefix(".a.new.") {
                        #expect(["a.raw", "a.qcow2", "a.tar", "a"].contains(name), "\(name)")
                        try FileManager.default.removeItem(atPath: "\(out)/\(name)")
                    }
                }
            }
            try home.terrine("export", "small:1", "-o", out + "/a", "--format", "oci", expect: 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: out) == ["a"])
            #expect(try home.terrine("export", "small:1", "-o", out + "/a", "--format", "oci", "--json", expect: 1).json(Problem.self).error.code == "exists")
            try home.write("out/b.tar", "before")
            try home.terrine("export", "small:1", "-o", out + "/b.tar", expect: 0)
            try shell("tar -tf out/b.tar >/dev/null", in: home)
            try home.terrine("export", "small:1", "-o", out + "/unknown", expect: 2)
        }
    }

    @Test("a recipe begins with an OCI image layout beside it")
    func base() throws {
        try Home.withImage { home in
            try home.terrine("export", "small:1", "-o", home.path + "/other/layout", "--format", "oci", expect: 1)
            try home.write(
                "other/terrine.yaml", "version: 1\nname: other\nbase: oci-layout:layout\nsteps: [{ name: say, run: echo built > /said, inputs: [] }]\n")
            try home.terrine("export", "small:1", "-o", home.path + "/other/layout", "--format", "oci", expect: 0)
            try home.write("other/.terrineignore", "layout\n")
            try home.terrine("build", home.path + "/other", "-t", "other:1", expect: 0)
            #expect(try home.terrine("run", "other:1", "--", "cat", "/said", expect: 0).output == "built\n")
            #expect(try home.terrine("plan", home.path + "/other", "--json", expect: 0).output.contains("\"cached\":true"))
        }
    }

    @Test("a bootable qcow2 boots in plain QEMU, to a shell with the image's files and environment")
    func boots() throws {
        try Home.with { home in
            let folder = try home.writeRecipe("env: { GREETING: \"it's up\" }\n")
            try home.terrine("build", folder, "-t", "small:1", expect: 0)
            try home.terrine("export", "small:1", "-o", home.path + "/small.qcow2", "--compress", "--bootable", expect: 0)
            // Typed when the shell is there: a loaded host may take its time. Booting hangs now and then under emulation, so it may try twice.
            let script = """
                qemu-img check small.qcow2 >&2
                mkfifo typed
                for attempt in 1 2; do
                    : > console
                    timeout -k 5 120 qemu-system-x86_64 -M pc,accel=tcg -m 256 -nographic -no-reboot -nic none -drive file=small.qcow2,format=qcow2,if=virtio < typed > console 2>&1 &
                    exec 3> typed
                    for i in $(seq 500); do grep -q 'terrine: the image is up' console && break; sleep 0.2; done
                    sleep 1
                    echo 'echo "$GREETING $((6*7))"; stat -c %n /etc/group; poweroff -f' >&3
                    wait $! || :
                    exec 3>&-
                    grep -q "it's up 42" console && break
                done
                cat console
                """
            let console = try shell(script, in: home)
            #expect(console.contains("terrine: the image is up"), "\(console)")
            #expect(console.contains("it's up 42"), "\(console)")
            #expect(console.contains("\n/etc/group"), "\(console)")
        }
    }
}
