import Foundation
import Glibc
import Linux
import Testing

/// What no honest program makes, given to `terrine import`: it is refused in words, and neither the store nor the host is another than before.
@Suite("Hostile imports", .enabled(if: MachineNeeds.have("qemu-img", "python3")))
struct HostileImportTests {
    private struct Problem: Decodable {
        struct Parts: Decodable {
            let code: String
            let message: String
            let fix: String?
        }
        let error: Parts
    }

    /// File -> code of the error; the files are made by ``archives`` and ``disks``.
    private static let refused: [(String, String)] = [
        // Archives.
        ("up.tar", "hostile"), ("up-link.tar", "hostile"), ("hard-host.tar", "hostile"), ("hard-folder.tar", "hostile"), ("through-file.tar", "hostile"),
        ("circle.tar", "hostile"), ("deep.tar", "hostile"), ("long-name.tar", "hostile"), ("nul.tar", "damaged"), ("root-link.tar", "hostile"),
        ("negative.tar", "damaged"), ("larger.tar", "damaged"), ("absurd.tar", "damaged"), ("sum.tar", "damaged"), ("cut.tar", "damaged"),
        ("headers.tar", "tooLarge"), ("bomb.tar.gz", "tooLarge"), ("bomb.tar.xz", "tooLarge"), ("cut.tar.gz", "damaged"), ("wrong.tar.zst", "damaged"),
        // Images.
        ("blob-link", "hostile"), ("blob-changed", "damaged"), ("blob-gone", "damaged"), ("blob-path", "damaged"), ("other-system", "unsupported"),
        ("empty-index", "ambiguous"), ("no-layout", "unsupported"), ("docker-host.tar", "damaged"), ("docker-changed.tar", "damaged"),
        ("layer-up", "hostile"), ("layer-bomb", "tooLarge"),
        // Disks.
        ("broken.raw", "damaged"), ("backed.qcow2", "hostile"), ("external.qcow2", "hostile"), ("huge.qcow2", "tooLarge"), ("cut.qcow2", "damaged"),
        ("encrypted.qcow2", "unsupported"), ("features.qcow2", "unsupported"), ("version.qcow2", "damaged"), ("xfs.raw", "unsupported"),
        ("two.raw", "ambiguous"), ("outside.raw", "unsupported"),
        // Neither.
        ("noise", "unsupported"), ("empty", "unsupported"), ("fifo", "unsupported"),
    ]

    private static let archives = """
        import gzip, hashlib, io, json, lzma, os, shutil, tarfile
        def entry(name, type=tarfile.REGTYPE, link='', data=b'', **more):
            info = tarfile.TarInfo(name); info.type = type; info.linkname = link; info.size = len(data)
            for key, value in more.items(): setattr(info, key, value)
            return info, data
        def pack(*entries):
            file = io.BytesIO(); tar = tarfile.open(fileobj=file, mode='w', format=tarfile.PAX_FORMAT)
            for info, data in entries: tar.addfile(info, io.BytesIO(data))
            tar.close(); return file.getvalue()
        def put(name, data): open(name, 'wb').write(data)
        def field(data, at, value):
            block = bytearray(data[:512]); block[at:at + len(value)] = value; block[148:156] = b' ' * 8
            block[148:156] = b'%06o\\0 ' % sum(block); return bytes(block) + data[512:]
        one = pack(entry('file', data=b'x'))
        put('up.tar', pack(entry('../../escaped', data=b'x')))
        put('up-link.tar', pack(entry('a', tarfile.LNKTYPE, '../../etc/passwd')))
        put('hard-host.tar', pack(entry('a', tarfile.LNKTYPE, '/etc/passwd')))
        put('hard-folder.tar', pack(entry('d', tarfile.DIRTYPE), entry('a', tarfile.LNKTYPE, 'd')))
        put('through-file.tar', pack(entry('a', data=b'x'), entry('a/b', data=b'x')))
        put('circle.tar', pack(entry('a', tarfile.SYMTYPE, 'b'), entry('b', tarfile.SYMTYPE, 'a'), entry('a/c', data=b'x')))
        put('deep.tar', pack(entry('d/' * 600 + 'f', data=b'x')))
        put('long-name.tar', pack(entry('n' * 300, data=b'x')))
        put('nul.tar', pack(entry('a', data=b'x', pax_headers={'path': 'a\\0b'})))
        put('root-link.tar', pack(entry('.', tarfile.SYMTYPE, '/')))
        put('negative.tar', field(one, 124, b'\\xff' * 12))
        put('larger.tar', field(one, 124, b'00007777777\\0'))
        put('absurd.tar', field(one, 124, b'\\x80' + b'\\x7f' * 11))
        put('sum.tar', one[:10] + b'!' + one[11:])
        put('cut.tar', pack(entry('file', data=bytes(100000)))[:50000])
        put('headers.tar', pack(entry('a', data=b'x', pax_headers={'SCHILY.xattr.user.big': 'v' * (2 << 20)})))
        bomb = pack(entry('file', data=bytes(200 << 20)))
        put('bomb.tar.gz', gzip.compress(bomb)); put('bomb.tar.xz', lzma.compress(bomb, preset=1))
        put('cut.tar.gz', gzip.compress(pack(entry('file', data=os.urandom(100000))))[:50000])
        put('wrong.tar.zst', bytes.fromhex('28b52ffd') + os.urandom(2000))

        def blob(digest): return '/blobs/sha256/' + digest.split(':')[1]
        def layout(name, change):
            shutil.copytree('layout', name); index = json.load(open(name + '/index.json'))
            manifest = json.load(open(name + blob(index['manifests'][0]['digest']))); config = json.load(open(name + blob(manifest['config']['digest'])))
            def add(value, like={}):
                data = value if isinstance(value, bytes) else json.dumps(value).encode(); digest = 'sha256:' + hashlib.sha256(data).hexdigest()
                put(name + blob(digest), data); return {**like, 'digest': digest, 'size': len(data)}
            def layer(plain, packed):
                manifest['layers'] = [add(packed, manifest['layers'][0])]; config['rootfs']['diff_ids'] = ['sha256:' + hashlib.sha256(plain).hexdigest()]
            change(name + blob(manifest['layers'][0]['digest']), manifest, config, index, layer)
            manifest['config'] = add(config, manifest['config'])
            index['manifests'] = [add(manifest, one) for one in index['manifests']]; json.dump(index, open(name + '/index.json', 'w'))
        def link(path, *_): os.remove(path); os.symlink('/etc/passwd', path)
        def changed(path, *_): data = bytearray(open(path, 'rb').read()); data[20] ^= 1; put(path, data)
        layout('blob-link', link); layout('blob-changed', changed); layout('blob-gone', lambda path, *_: os.remove(path))
        layout('blob-path', lambda _, manifest, *__: manifest['layers'][0].update(digest='sha256:../../../../etc/passwd'))
        layout('other-system', lambda _, __, config, *___: config.update(os='windows'))
        layout('empty-index', lambda _, __, ___, index, ____: index['manifests'].clear())
        layout('layer-up', lambda *all: all[4](open('up.tar', 'rb').read(), gzip.compress(open('up.tar', 'rb').read())))
        layout('layer-bomb', lambda *all: all[4](bomb, gzip.compress(bomb)))
        os.mkdir('no-layout'); put('no-layout/index.json', b'{}')
        def docker(name, change):
            old = tarfile.open('docker.tar'); files = {m.name: old.extractfile(m).read() for m in old if m.isfile()}
            manifest = json.loads(files['manifest.json']); change(files, manifest); files['manifest.json'] = json.dumps(manifest).encode()
            put(name, pack(*(entry(name, data=data) for name, data in files.items())))
        docker('docker-host.tar', lambda files, manifest: manifest[0].update(Layers=['../../../etc/passwd']))
        docker('docker-changed.tar', lambda files, manifest: files.update({manifest[0]['Layers'][0]: bytes(10240)}))
        put('taken.tar', pack(
            entry('out', tarfile.SYMTYPE, '/'), entry('out/escaped', data=b'x'), entry('/etc/escaped', data=b'x'), entry('up', tarfile.SYMTYPE, '../../../..'),
            entry('up/escaped-too', data=b'x'), entry('root', data=b'x', mode=0o6777), entry('disk', tarfile.BLKTYPE, devmajor=7, devminor=0),
            entry('twice', data=b'one'), entry('twice', tarfile.DIRTYPE, mode=0o755), entry('twice/in', data=b'two')))
        """

    private static let disks = """
        truncate -s 16M ok.raw; mke2fs -q -t ext4 ok.raw
        cp ok.raw broken.raw; dd if=/dev/urandom of=broken.raw bs=4096 seek=3 count=40 conv=notrunc status=none
        qemu-img create -q -f qcow2 -b /etc/passwd -F raw backed.qcow2
        qemu-img create -q -f qcow2 -o data_file=data.raw,data_file_raw=on external.qcow2 16M
        qemu-img create -q -f qcow2 huge.qcow2 200T
        qemu-img convert -O qcow2 ok.raw cut.qcow2
        for name in encrypted features version; do cp cut.qcow2 $name.qcow2; done
        truncate -s 1000 cut.qcow2
        patch() { printf "$3" | dd of=$1 bs=1 seek=$2 conv=notrunc status=none; }
        patch encrypted.qcow2 35 '\\x02'; patch features.qcow2 72 '\\x80'; patch version.qcow2 7 '\\x09'
        truncate -s 16M xfs.raw; patch xfs.raw 0 XFSB; patch xfs.raw 510 '\\x55\\xaa'
        truncate -s 40M two.raw; patch two.raw 510 '\\x55\\xaa'
        patch two.raw 450 '\\x83'; patch two.raw 454 '\\x00\\x08\\x00\\x00\\x00\\x80\\x00\\x00'; patch two.raw 466 '\\x83'; patch two.raw 470 '\\x00\\x88\\x00\\x00\\x00\\x80\\x00\\x00'
        dd if=ok.raw of=two.raw bs=1M seek=1 conv=notrunc status=none; dd if=ok.raw of=two.raw bs=1M seek=17 conv=notrunc status=none
        cp xfs.raw outside.raw; patch outside.raw 450 '\\x83'; patch outside.raw 454 '\\xff\\xff\\xff\\x7f\\xff\\xff\\xff\\xff'
        head -c 100000 /dev/urandom > noise; : > empty; mkfifo fifo
        """

    private func makeArchives(_ home: Home) throws {
        try home.terrine("export", "small:1", "-o", home.path + "/layout", "--format", "oci", expect: 0)
        try home.terrine("export", "small:1", "-o", home.path + "/docker.tar", "--format", "docker", expect: 0)
        try home.write("archives.py", Self.archives)
        try shell("python3 archives.py", in: home)
    }

    /// Every file of the store with its content, and every image.
    private func state(_ home: Home) throws -> [String] {
        let files = try shell("cd store; find . -type f ! -name 'index.sqlite*' ! -name '*.lock' -exec sha256sum {} + | sort", in: home)
        return try files.split(separator: "\n").map(String.init) + [home.terrine("images", "--all", "--json", expect: 0).output]
    }

    @discardableResult
    private func shell(_ script: String, in home: Home, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        var command = Command("bash", ["-euo", "pipefail", "-c", script])
        command.workingFolder = home.path
        let result = try command.capture()
        try #require(result.status == .exited(0), "\(result.errors)\(result.output)", sourceLocation: sourceLocation)
        return result.output
    }

    @Test("archives, images and disks that are not what they should be are refused in words, and leave nothing")
    func hostile() throws {
        try Home.withImage { home in
            try makeArchives(home)
            try shell(Self.disks, in: home)
            let before = try state(home)
            #expect(Self.refused.count >= 40)
            for (file, code) in Self.refused {
                let run = try home.terrine("import", "\(home.path)/\(file)", "-t", "evil:1", "--json")
                #expect(run.code == 1, "\(file): \(run.output)\(run.errors)")
                guard let error = try? run.json(Problem.self).error else { continue }
                #expect(error.code == code, "\(file): \(run.output)")
                #expect(error.message.contains(file), "\(file): \(run.output)")
                #expect(error.fix?.isEmpty == false, "\(file): \(run.output)")
            }
            #expect(try home.terrine("import", "\(home.path)/nothing", "-t", "evil:1", expect: 1).errors.contains("nothing"))
            #expect(try state(home) == before && before.count > 5)
            for path in ["escaped", "../escaped", "../../escaped"] { #expect(access("\(home.path)/\(path)", F_OK) != 0, "\(path)") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: home.path + "/scratch").isEmpty)
        }
    }

    @Test("what looks dangerous and is not is taken, told, and stays in the image")
    func taken() throws {
        try Home.withImage { home in
            try makeArchives(home)
            try home.terrine("import", "\(home.path)/taken.tar", "-t", "taken:1", "--disk", "64MiB", expect: 0)
            try home.terrine("export", "taken:1", "-o", home.path + "/again.tar", expect: 0)
            let names = try shell("tar -tf again.tar | sort", in: home).split(separator: "\n").map(String.init)
            #expect(names == ["./", "disk", "escaped", "escaped-too", "etc/", "etc/escaped", "out", "root", "twice/", "twice/in", "up"])
            for path in ["/escaped", "/etc/escaped", "/escaped-too"] { #expect(access(path, F_OK) != 0, "\(path)") }
        }
    }
}
