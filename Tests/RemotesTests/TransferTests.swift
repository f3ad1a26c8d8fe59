import ChunkStore
import Foundation
import Images
import Synchronization
import TestSupport
import Testing

@testable import Remotes

/// Chunks of these images do not compress: a chunk is 64 KiB on the wire.
@Suite("Push and pull, against docker-registry", .serialized)
struct TransferTests {
    private static let chunk = 65536

    @Test("an image arrives as it left, and a second time nothing is sent or fetched")
    func roundTrip() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let (a, b) = (try scratch.store("a"), try scratch.store("b"))
        let base = try a.make(1..<150)
        let image = try a.make(200..<220, over: base, at: 10)
        let sent = try push(image, a, registry.port, "team/image:1")
        #expect(sent.sentBytes == sent.totalBytes && sent.sentBytes > 160 * Self.chunk)
        #expect(try push(image, a, registry.port, "team/image:1").sentBytes == 0)

        let got = try pull(b, registry.port, "team/image:1")
        #expect(got.image == image.digest.description && !got.foreign)
        #expect(try b.resolve("pulled:1") == image)
        #expect(try b.bytes(of: image, 10) == noise(200) && b.bytes(of: image, 9) == noise(10) && b.bytes(of: image, 148) == noise(149))
        #expect(try b.verify().problems.isEmpty)
        let again = try pull(b, registry.port, "team/image:1")
        #expect(again.fetchedBytes < 8192)
    }

    @Test("progress tells the bytes that are left, down to none, and packs are sent side by side")
    func progress() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let running = Mutex((now: 0, most: 0))
        let proxy = try FaultProxy(upstream: registry.port) { request in
            if request.method == "PATCH" { running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) } }
            if request.method == "PUT" { running.withLock { $0.now = max(0, $0.now - 1) } }
            return .pass
        }
        defer { proxy.stop() }
        let (a, b) = (try scratch.store("a"), try scratch.store("b"))
        let image = try a.make(1..<400)
        let told = Mutex<[TransferProgress]>([])
        let there = try Remote.local(proxy.port, "team/image:1", home: a.home)
        _ = try Push(images: a, to: there, client: there.client(.push, retry: quick)) { progress in told.withLock { $0.append(progress) } }.run(image)
        let sent = told.withLock { $0 }
        #expect(sent.last?.left == 0 && sent.allSatisfy { $0.left >= 0 } && sent.contains { $0.left > 20_000_000 })
        #expect(running.withLock { $0.most } > 1)
        told.withLock { $0 = [] }
        let back = try Remote.local(proxy.port, "team/image:1", home: b.home)
        _ = try Pull(images: b, from: back, client: back.client(.pull, retry: quick)) { progress in told.withLock { $0.append(progress) } }.run(name: "x:1")
        let fetched = told.withLock { $0 }
        #expect(fetched.last?.left == 0 && fetched.contains { $0.left > 20_000_000 })
    }

    @Test("a push on top of a pushed parent sends little more than the new layer, also after a repack and from another store")
    func increments() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let (a, b) = (try scratch.store("a"), try scratch.store("b"))
        let base = try a.make(1..<200)
        _ = try push(base, a, registry.port, "team/image:1")
        try a.tag("base:1", base)
        _ = try a.collectGarbage(repack: true)
        let child = try a.make(300..<304, over: base, at: 50)
        let sent = try push(child, a, registry.port, "team/image:2")
        #expect(sent.sentBytes < 6 * Self.chunk && sent.totalBytes > 199 * Self.chunk)

        // The other store gets what it lacks, makes an image on top, and has not to send what it got.
        _ = try pull(b, registry.port, "team/image:1")
        let got = try pull(b, registry.port, "team/image:2")
        #expect(got.fetchedBytes < 8 * Self.chunk)
        let other = try b.make(400..<402, over: child, at: 70)
        #expect(try push(other, b, registry.port, "team/image:3").sentBytes < 4 * Self.chunk)
    }

    @Test("what another repository of the registry has is mounted, not sent")
    func mounting() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let a = try scratch.store("a")
        let image = try a.make(1..<100)
        _ = try push(image, a, registry.port, "team/one:1")
        #expect(try push(image, a, registry.port, "other/two:1").sentBytes < Self.chunk)
        #expect(try pull(scratch.store("b"), registry.port, "other/two:1").image == image.digest.description)
    }

    @Test("packs hold exactly the image's chunks, whatever else the store has in the same frames")
    func exactly() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let a = try scratch.store("a")
        // Frames of four chunks, of which the image needs every second.
        _ = try a.make(1..<65)
        let draft = ImageDraft(parent: nil, virtualBytes: 1 << 30, environment: [:], machine: MachineDefaults(), step: nil, cacheKey: nil)
        let image = try a.write(draft) { writer in
            for seed in stride(from: UInt64(1), to: 65, by: 2) { try noise(seed).withUnsafeBytes { try writer.add(seed, $0) } }
        }
        let sent = try push(image, a, registry.port, "team/half:1")
        #expect(sent.sentBytes < 34 * Self.chunk)
        let b = try scratch.store("b")
        _ = try pull(b, registry.port, "team/half:1")
        #expect(try b.bytes(of: image, 31) == noise(31))
        #expect(try b.usage().chunks == 32)
    }

    @Test("uploads go on after cuts, refusals and lost sessions")
    func badUploads() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let a = try scratch.store("a")
        let image = try a.make(1..<200)
        let patches = Atomic(0)
        let posts = Atomic(0)
        let proxy = try FaultProxy(upstream: registry.port) { request in
            if request.method == "POST", posts.add(1, ordering: .relaxed).newValue == 1 { return .answer(500) }
            guard request.method == "PATCH" else { return .pass }
            switch patches.add(1, ordering: .relaxed).newValue {
            case 1: return .cutRequest(after: 1_000_000)
            case 2: return .answer(429, headers: ["Retry-After": "1"])
            case 3: return .answer(503)
            case 4: return .cutAnswer(after: 0)
            default: return .pass
            }
        }
        defer { proxy.stop() }
        let start = ContinuousClock.now
        let sent = try push(image, a, proxy.port, "team/image:1")
        #expect(ContinuousClock.now - start >= .seconds(1), "Retry-After was not honoured")
        // Of four packs that were refused or cut, what had been sent is sent again; nothing else is.
        #expect(sent.sentBytes < sent.totalBytes + 6 << 20)
        #expect(try pull(scratch.store("b"), registry.port, "team/image:1").image == image.digest.description)
    }

    @Test("downloads go on after cuts and refusals, and what was damaged on the way is fetched again")
    func badDownloads() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let a = try scratch.store("a")
        let image = try a.make(1..<200)
        _ = try push(image, a, registry.port, "team/image:1")
        let blobs = Atomic(0)
        let proxy = try FaultProxy(upstream: registry.port) { request in
            guard request.method == "GET", request.path.contains("/blobs/") else { return .pass }
            switch blobs.add(1, ordering: .relaxed).newValue {
            case 1: return .answer(503)
            case 3: return .damageAnswer(at: 100)
            case 6: return .cutAnswer(after: 1_000_000)
            case 7: return .damageAnswer(at: 2_000_000)
            case 8: return .answer(429, headers: ["Retry-After": "0"])
            default: return .pass
            }
        }
        defer { proxy.stop() }
        let b = try scratch.store("b")
        let got = try pull(b, proxy.port, "team/image:1")
        #expect(got.image == image.digest.description)
        #expect(try b.verify().problems.isEmpty)
        // Damaged is one piece of at most 4 MiB; what was cut goes on where it was.
        #expect(proxy.counts.down < 200 * Self.chunk + 5 << 20)
    }

    @Test("a blob that is damaged in the registry is an error that names it, and nothing is taken in")
    func corrupt() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let a = try scratch.store("a")
        let image = try a.make(1..<100)
        _ = try push(image, a, registry.port, "team/image:1")
        let proxy = try FaultProxy(upstream: registry.port) { request in
            request.method == "GET" && request.headers["range"] != nil ? .damageAnswer(at: 5000) : .pass
        }
        defer { proxy.stop() }
        let b = try scratch.store("b")
        let error = #expect(throws: RemoteError.self) { try pull(b, proxy.port, "team/image:1") }
        #expect(error?.code == "corrupt" && error?.message.contains("sha256:") == true)
        #expect(try b.list(all: true).isEmpty)
        #expect(try b.verify().problems.isEmpty)
        #expect(try pull(b, registry.port, "team/image:1").image == image.digest.description)
    }

    @Test("what cannot be mended by trying again is told with what, where and how to mend it")
    func refusals() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let store = try scratch.store("a")
        let image = try store.make(1..<3)
        let status = Atomic(401)
        let proxy = try FaultProxy(upstream: registry.port) { _ in
            .answer(status.load(ordering: .relaxed), body: #"{"errors":[{"code":"X","message":"because"}]}"#)
        }
        defer { proxy.stop() }
        for (code, word) in [(401, "unauthorized"), (403, "denied"), (400, "registry"), (502, "registry"), (429, "busy")] {
            status.store(code, ordering: .relaxed)
            let error = #expect(throws: RemoteError.self) { try push(image, store, proxy.port, "team/image:1") }
            #expect(error?.code == word && error?.cause?.contains("\(code)") == true && error?.cause?.contains("because") == true, "\(code)")
        }
        let missing = #expect(throws: RemoteError.self) { try pull(store, registry.port, "team/nothing:1") }
        #expect(missing?.code == "notFound")
        let nobody = #expect(throws: RemoteError.self) { try pull(store, 1, "team/image:1") }
        #expect(nobody?.code == "unreachable")
        let tls = #expect(throws: RemoteError.self) {
            let remote = try Remote("127.0.0.1:\(registry.port)/team/image", home: store.home)
            _ = try Pull(images: store, from: remote, client: remote.client(.pull, retry: quick)).find()
        }
        #expect(tls?.code == "unreachable" && tls?.fix?.contains("--plain-http") == true)
    }
}
