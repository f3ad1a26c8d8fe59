import ChunkStore
import Foundation
import TestSupport
import Testing

@testable import Images

@Suite("Damaged layers, configs, manifests and names") struct FuzzTests {
    @Test("whatever a layer says, it is refused or read")
    func layers() throws {
        let digests = (0..<40).map { Digest.of([UInt8($0)]) }
        let scattered = digests.enumerated().map { index, digest -> (index: UInt64, digest: Digest?) in (UInt64(index) * 1000, index % 3 == 0 ? nil : digest) }
        let whole = [
            LayerBlob(diskBytes: 4 << 20, chunks: [(0, digests[0]), (1, nil), (5, digests[1])]),
            LayerBlob(diskBytes: 1 << 32, chunks: scattered),
            LayerBlob(diskBytes: 0, chunks: []),
        ].map { $0.encoded() }
        for layer in whole { _ = try LayerBlob(decoding: layer) }
        Fuzzer.run("layers", whole) { _ = try LayerBlob(decoding: $0) }
    }

    @Test("whatever a config says, it is refused or an image")
    func configs() throws {
        var machine = MachineDefaults()
        machine.services = [.init(name: "db", run: "sleep 1")]
        machine.memory = 1 << 30
        let draft = ImageDraft(
            parent: nil, virtualBytes: 4 << 20, environment: ["PATH": "/bin", "A": "b=c"], machine: machine, step: "s", cacheKey: "k", labels: ["a": "b"])
        let config = try ImageConfig.canonical(ImageConfig(draft, layers: [Digest.of([1]), Digest.of([2])]))
        Fuzzer.run("configs", [config]) { _ = try JSONDecoder().decode(ImageConfig.self, from: Data($0)).image(Digest.of($0)) }
    }

    @Test("whatever a manifest or the layout's index says, it is refused or read")
    func manifests() throws {
        let descriptor = OCIDescriptor(mediaType: OCIManifest.layerType, digest: Digest.of([1]), size: 77, annotations: [OCIIndex.referenceKey: "a:b"])
        let manifest = try ImageConfig.canonical(OCIManifest(config: descriptor, layers: [descriptor, descriptor]))
        Fuzzer.run("manifests", [manifest]) { _ = try JSONDecoder().decode(OCIManifest.self, from: Data($0)) }
        let index = try ImageConfig.canonical(OCIIndex(manifests: [descriptor, descriptor]))
        Fuzzer.run("index.json", [index]) { _ = try JSONDecoder().decode(OCIIndex.self, from: Data($0)) }
    }

    @Test("whatever a map says, it is refused or read, and each place is a number")
    func maps() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let image = try store.make([0: noise(1), 40: noise(2)])
        let path = home.store + "/maps/" + image.digest.hex
        let whole = try Array(Data(contentsOf: URL(filePath: path)))
        Fuzzer.run("maps", [whole]) { input in
            try Fuzzer.write(input, to: path)
            guard let map = try store.maps.open(image.digest) else { return }
            for place in [0, 1, 40, 63, 64, UInt64(UInt32.max), .max] { _ = try map.number(at: place) }
        }
    }
}
