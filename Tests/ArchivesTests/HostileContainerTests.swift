import Foundation
import Testing

@testable import Archives

/// A layout or an archive with something changed, by a script for Python, and what is said of it.
struct HostileContainer: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var path: String
    /// Python: `index`, `manifest` and `config` are at hand, `put(document)` stores one as a blob and returns its descriptor.
    var change: String
    var code: String
    var words: String

    init(_ name: String, _ path: String, _ change: String, _ code: String, _ words: String) {
        (testDescription, self.path, self.change, self.code, self.words) = (name, path, change, code, words)
    }

    static let prelude = """
        import json, hashlib, os, sys, io, tarfile, gzip
        def load(name): return json.load(open('layout/' + name))
        def blob(digest): return 'layout/blobs/sha256/' + digest.split(':')[1]
        index = load('index.json')
        manifest = json.load(open(blob(index['manifests'][0]['digest'])))
        config = json.load(open(blob(manifest['config']['digest'])))
        layer = blob(manifest['layers'][0]['digest'])
        def put(value, like={}):
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            digest = hashlib.sha256(data).hexdigest()
            open('layout/blobs/sha256/' + digest, 'wb').write(data)
            return {**like, 'digest': 'sha256:' + digest, 'size': len(data)}
        def done():
            manifest['config'] = put(config, manifest['config'])
            index['manifests'][0] = put(manifest, index['manifests'][0])
            json.dump(index, open('layout/index.json', 'w'))
        def docker(change):
            old = tarfile.open('docker.tar'); files = {m.name: old.extractfile(m).read() for m in old if m.isfile()}
            entries = json.loads(files['manifest.json']); change(files, entries)
            files['manifest.json'] = json.dumps(entries).encode()
            new = tarfile.open('docker.tar', 'w')
            for name, data in files.items():
                info = tarfile.TarInfo(name); info.size = len(data); new.addfile(info, io.BytesIO(data))
            new.close()

        """

    static let all: [HostileContainer] = {
        var all: [HostileContainer] = []
        func add(_ name: String, _ path: String, _ change: String, _ code: String, _ words: String) {
            all.append(HostileContainer(name, path, change, code, words))
        }
        add(
            "a blob of another content", "layout", "d = bytearray(open(layer, 'rb').read()); d[20] ^= 1; open(layer, 'wb').write(d)", "damaged",
            "not what its name says")
        add("a blob of another size", "layout", "open(layer, 'ab').write(b'x')", "damaged", "bytes instead of")
        add("a blob that is not there", "layout", "os.remove(layer)", "damaged", "has no blob")
        add(
            "a blob that is a link to a file of the host", "layout", "os.remove(layer); os.symlink('/etc/passwd', layer)", "hostile", "regular file")
        add(
            "a folder of blobs that is a link", "layout", "os.rename('layout/blobs', 'elsewhere'); os.symlink('../elsewhere', 'layout/blobs')", "hostile",
            "no folder")
        add(
            "an index that is a link", "layout", "os.rename('layout/index.json', 'i'); os.symlink('../i', 'layout/index.json')", "hostile", "regular file")
        add("a fifo for an index", "layout", "os.remove('layout/index.json'); os.mkfifo('layout/index.json')", "hostile", "regular file")
        add(
            "a digest that is a path", "layout", "manifest['layers'][0]['digest'] = 'sha256:../../../../etc/passwd'; done()", "damaged", "64 digits")
        add("a digest that nobody can check", "layout", "manifest['layers'][0]['digest'] = 'md5:00'; done()", "damaged", "64 digits")
        add("a negative size", "layout", "manifest['layers'][0]['size'] = -1; done()", "damaged", "instead of -1")
        add("a size beyond 64 bits", "layout", "manifest['layers'][0]['size'] = 10**30; done()", "damaged", "not what it should be")
        add(
            "a layer of a type that nobody knows", "layout", "manifest['layers'][0]['mediaType'] = 'application/x-evil'; done()", "unsupported", "x-evil")
        add(
            "a config of a type that nobody knows", "layout", "manifest['config']['mediaType'] = 'text/plain'; done()", "unsupported", "text/plain")
        add(
            "an image of a type that nobody knows", "layout",
            "index['manifests'][0]['mediaType'] = 'text/plain'; json.dump(index, open('layout/index.json', 'w'))", "unsupported", "text/plain")
        add(
            "an index within an index without end", "layout",
            "like = {'mediaType': 'application/vnd.oci.image.index.v1+json'}\nd = index['manifests'][0]\nfor _ in range(50): d = put({'schemaVersion': 2, 'manifests': [d]}, like)\n"
                + "index['manifests'] = [d]; json.dump(index, open('layout/index.json', 'w'))", "hostile", "without end")
        add("an index that is no JSON", "layout", "open('layout/index.json', 'w').write('{')", "damaged", "no JSON")
        add("JSON that is deep", "layout", "open('layout/index.json', 'w').write('[' * 1000000)", "damaged", "no JSON")
        add("an index of 5 MiB", "layout", "open('layout/index.json', 'w').write(' ' * (5 << 20))", "tooLarge", "at most")
        add(
            "an index without images", "layout", "index['manifests'] = []; json.dump(index, open('layout/index.json', 'w'))", "ambiguous", "0 images")
        add("layers that the config does not know", "layout", "config['rootfs']['diff_ids'] = []; done()", "damaged", "0 layers")
        add(
            "a layer that is another than the config says", "layout", "config['rootfs']['diff_ids'] = ['sha256:' + '0' * 64]; done()", "damaged", "plain bytes")
        add("a config without layers at all", "layout", "del config['rootfs']; done()", "damaged", "rootfs")
        add("an image for another system", "layout", "config['os'] = 'windows'; done()", "unsupported", "windows")
        add("an image for another processor", "layout", "config['architecture'] = 's390x'; done()", "unsupported", "s390x")
        add("2,000 layers", "layout", "manifest['layers'] *= 2000; config['rootfs']['diff_ids'] *= 2000; done()", "tooLarge", "2000 layers")
        add(
            "a layer that is a bomb", "layout",
            "data = bytes(200 << 20); manifest['layers'] = [put(gzip.compress(data), manifest['layers'][0])]; config['rootfs']['diff_ids'] = ['sha256:' + hashlib.sha256(data).hexdigest()]; done()",
            "tooLarge", "bomb")
        add(
            "a layer that climbs out", "layout",
            "f = io.BytesIO(); t = tarfile.open(fileobj=f, mode='w'); i = tarfile.TarInfo('../../escaped'); t.addfile(i); t.close(); data = f.getvalue()\n"
                + "manifest['layers'] = [put(data, manifest['layers'][0])]; config['rootfs']['diff_ids'] = ['sha256:' + hashlib.sha256(data).hexdigest()]; done()",
            "hostile", "`..`")
        add(
            "a manifest that names a layer that is not there", "docker.tar", "docker(lambda f, e: e[0].update(Layers=['missing.tar']))", "damaged",
            "missing.tar")
        add(
            "a manifest that names a file of the host", "docker.tar", "docker(lambda f, e: e[0].update(Layers=['../../../etc/passwd']))", "damaged",
            "etc/passwd")
        add(
            "a manifest that names a config that is not there", "docker.tar", "docker(lambda f, e: e[0].update(Config='missing.json'))", "damaged",
            "missing.json")
        add(
            "a manifest with more layers than the config", "docker.tar", "docker(lambda f, e: e[0].update(Layers=e[0]['Layers'] * 2))", "damaged", "layers")
        add(
            "a config of another content", "docker.tar", "docker(lambda f, e: f.update({e[0]['Config']: f[e[0]['Config']] + b' '}))", "damaged",
            "not what its name says")
        add(
            "a layer of another content", "docker.tar", "docker(lambda f, e: f.update({e[0]['Layers'][0]: bytes(10240)}))", "damaged", "plain bytes")
        add("a manifest of the wrong shape", "docker.tar", "docker(lambda f, e: e[0].update(Layers='all'))", "damaged", "Layers")
        add("two images and no word which", "docker.tar", "docker(lambda f, e: e.append(e[0]))", "ambiguous", "--reference")
        return all
    }()
}

@Suite("Hostile image layouts and docker archives")
struct HostileContainerTests {
    @Test("a layout or an archive that is not whole or not honest is refused, with what and where", arguments: HostileContainer.all)
    func refused(container: HostileContainer) throws {
        try withFolder { folder in
            try ContainerTests.write(in: folder)
            try (HostileContainer.prelude + container.change + "\n").write(toFile: folder + "/change.py", atomically: true, encoding: .utf8)
            try shell("python3 change.py; mkdir room", in: folder)
            let error = #expect(throws: ArchiveError.self) {
                _ = try ArchiveReader("\(folder)/\(container.path)", files: UnnamedFiles(folder: folder + "/room")).read()
            }
            let text = error.map { "\($0)" } ?? "nothing"
            #expect(error?.code == container.code, "\(text)")
            #expect(text.contains(container.words), "\(text)")
            #expect(error?.message.contains(folder) == true, "\(text)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/room").isEmpty)
            #expect(!FileManager.default.fileExists(atPath: folder + "/escaped"))
        }
    }
}
