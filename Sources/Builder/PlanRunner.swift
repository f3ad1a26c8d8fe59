import ChunkStore
import Foundation
import Images
import Linux
import Recipes
import Remotes
import Trees

/// Builds a plan: each step from the cache, or in a fresh machine started from the image before it.
///
/// A step is made once, however many builds need it at a time; a build that is broken off goes on after its last finished step;
/// and a build that has nothing to do writes nothing.
public struct PlanRunner: Sendable {
    public struct Options: Sendable {
        /// Runs every step, whatever is cached; the results are kept for later builds.
        public var ignoresCache = false
        /// Looks up again what the base is made from.
        public var updatesBase = false
        /// Goes on from the nearest layer of packages in the store where the first one of the plan would have to be made, for who finds out what a
        /// recipe lacks: packages that nobody asked for may be there, so that the image is no build's.
        public var startsNear = false
        /// Rewrites the image into one layer at the end; see ``Flattener``.
        public var flattens = false
        /// Resolves package layers anew that were last resolved longer ago than this.
        public var refreshesOlder: Duration?
        /// Takes what the image was made from, before the last layer; says whether the lock's file changed.
        public var writeLock: (@Sendable (TerrineLock.Entry) throws -> Bool)?
        /// What steps get as files in memory.
        public var secrets = BuildSecrets.none
        /// No step reaches a network: packages and repositories come from the caches, or not at all.
        public var isOffline = false
        /// Where steps are looked for that are not cached here.
        public var readsCaches: [StepCache] = []
        /// Where to steps are sent, also those that were cached, and when a later one fails.
        public var writesCaches: [StepCache] = []
        /// Path of the private key that signs the image; nil: nobody vouches for it.
        public var signingKey: String?
        /// This program's, for the provenance.
        public var version = ""
        /// Talks to the registry of a base without TLS.
        public var plainHTTP = false
        /// Builds on a foreign base: its owner vouches for what is on the disk.
        public var trustsBase = false
        /// The name that the image gets; the recipe's, with the tag `latest`, if nil.
        public var reference: String?

        public init() {}
    }

    let images: ImageStore
    let host: any StepHost
    let reporter: any BuildReporter
    let cancellation: Cancellation

    public init(images: ImageStore, host: any StepHost, reporter: any BuildReporter = SilentReporter(), cancellation: Cancellation = Cancellation()) {
        (self.images, self.host, self.reporter, self.cancellation) = (images, host, reporter, cancellation)
    }

    /// Builds, checks and names the image.
    ///
    /// - Throws: ``BuildError`` `stepFailed` with the step's last lines, `checksFailed` when the image was built but does not do what it should
    ///   (it is kept, tagged `unverified`), `cancelled`.
    public func run(_ plan: Plan, options: Options = Options()) throws -> BuildResult {
        let start = ContinuousClock.now
        // A name that cannot be given is told before anything is built.
        let reference = try ImageReference.normal(options.reference ?? plan.recipe.name)
        reporter.report(.planned(recipe: plan.recipe.name, steps: plan.steps.map(\.name)))
        let made = try steps(of: plan, options)
        let plan = made.plan
        // Every step went well: no failure of an earlier build is of interest any more.
        try FailedSteps(images: images).clear(plan.recipe.folder, plan.recipe.name)
        try check(made.image, plan, reference)
        let image = try options.flattens ? Flattener(images: images).flatten(made.image) : images.recordingTreeDigest(of: made.image)
        try tag(reference, image)
        try images.recordBuild(plan.recordName, image)
        let keys = zip(plan.steps.dropFirst(), zip(made.built.dropFirst(), made.parents)).map { (id: $0.id, key: $1.0.key, parentLayers: $1.1) }
        try BuildRecord(plan, reference: reference, flattens: options.flattens, images: images).note(image, base: made.base, steps: keys)
        if !images.chunks.isReadOnly, try !images.hasProvenance(image) {
            try images.attach(Provenance(plan, base: made.base, steps: made.built, version: options.version), to: image)
        }
        if let key = options.signingKey { _ = try images.sign(image, key: key) }
        return BuildResult(
            image: image, reference: reference, steps: made.built, duration: ContinuousClock.now - start,
            fetchedBytes: options.readsCaches.reduce(0) { $0 + $1.fetchedBytes })
    }

    /// Makes or finds the image that the steps come to, without a name and without its checks: for who finds out what a recipe lacks.
    ///
    /// - Returns: also the layer of packages that it went on from, if it is another build's; see ``Options/startsNear``.
    /// - Throws: as ``run(_:options:)``, but for checks.
    public func image(of plan: Plan, options: Options = Options()) throws -> (image: Image, steps: [BuildResult.Step], near: NearLayer?) {
        reporter.report(.planned(recipe: plan.recipe.name, steps: plan.steps.map(\.name)))
        let made = try steps(of: plan, options)
        try FailedSteps(images: images).clear(plan.recipe.folder, plan.recipe.name)
        return (made.image, made.built, made.near)
    }

    // MARK: Steps

    /// All images of a plan, made or found.
    private struct Made {
        /// As it is when the lock's new file is among the inputs.
        var plan: Plan
        let base: Image
        var image: Image
        var built: [BuildResult.Step]
        /// The layers below each step but the base.
        var parents: [[Digest]] = []
        var near: NearLayer?
    }

    /// Makes or finds all images; what they are is sent to the caches that are written, however this ends.
    private func steps(of plan: Plan, _ options: Options) throws -> Made {
        var entries: [StepCache.Entry] = []
        defer { send(entries, to: options.writesCaches) }
        let remote = RemoteSteps(options.readsCaches, images: images, reporter: reporter)
        do { return try steps(of: plan, options, remote, &entries) } catch is RemoteSteps.Lost {
            entries = []
            return try steps(of: plan, options, RemoteSteps([], images: images, reporter: reporter), &entries)
        }
    }

    /// What cannot be sent is told, and is no reason for a build to fail.
    private func send(_ entries: [StepCache.Entry], to caches: [StepCache]) {
        // Who stops a build does not wait for what it would send.
        if cancellation.isCancelled { return }
        for cache in caches {
            do {
                let start = ContinuousClock.now
                let notes = TransferNotes(reporter, "sending steps to \(cache.name)")
                let sent = try cache.store(entries) { notes.tell($0) }
                let time = ContinuousClock.now - start
                reporter.report(.note("sent \(sent) bytes of \(entries.count) steps to \(cache.name) in \(time.milliseconds) ms"))
            } catch { cache.giveUp(error) }
        }
    }

    private func steps(of plan: Plan, _ options: Options, _ remote: RemoteSteps, _ entries: inout [StepCache.Entry]) throws -> Made {
        let builder = BaseBuilder(images: images)
        var built: [BuildResult.Step] = []
        let base = try baseImage(plan, options, remote, &built)
        if !options.trustsBase { try requireTrust(in: base, of: plan) }
        var made = Made(plan: plan, base: base, image: base, built: built)
        let baseEntries = try builder.entries(of: plan, base)
        entries = baseEntries
        var lock = TerrineLock.Entry()
        lock.base = try builder.resolution(of: plan, found: remote.baseRecord)
        for index in plan.steps.indices.dropFirst() {
            try cancellation.check()
            if options.startsNear, index == 1, let near = try nearLayer(for: plan.steps[index], of: plan, over: base) {
                made.near = near
                made.image = near.image
            }
            let below = made.image
            made.parents.append(below.layers)
            if made.plan.steps[index].kind == .workspace, let write = options.writeLock, try write(lock) { made.plan = try made.plan.withNewLockFile() }
            let step = made.plan.steps[index]
            let work = step.packages
            let isOpen = work?.resolve != nil && work?.locked == nil
            made.image =
                try isOpen
                ? resolvedLayer(index, of: made.plan, over: below, base: base, options, remote, &made.built)
                : layer(index, of: made.plan, over: below, base: base, options, remote, &made.built)
            note(step, made.image, in: &lock)
            // A package layer is found by what was asked for, and by what that came to.
            let both = isOpen ? [step, locked(step, as: made.image)].compactMap { $0 } : []
            let keys = both.map { StepKey($0, of: made.plan, parentLayers: below.layers.map(\.description), baseEnvironment: base.environment).key }
            entries += Set(keys + [made.built[index].key]).sorted().map { StepCache.Entry(step: $0, made.image) }
        }
        try remote.fetch()
        // The record of a base that was found elsewhere has come with it.
        if baseEntries.isEmpty { entries = try builder.entries(of: plan, base) + entries }
        return made
    }

    /// nil when the step is cached, or no layer is near.
    private func nearLayer(for step: PlanStep, of plan: Plan, over base: Image) throws -> NearLayer? {
        guard let work = step.packages, work.locked == nil else { return nil }
        let key = StepKey(step, of: plan, parentLayers: base.layers.map(\.description), baseEnvironment: base.environment).key
        if try images.cached(key) != nil { return nil }
        guard let near = try NearLayer.find(for: step, on: base, in: images) else { return nil }
        reporter.report(.note("\(near.has.count) of \(near.asked) packages are in a layer that is there: going on from \(near.image.digest)"))
        return near
    }

    /// Machines would refuse it too, one step later and without its name.
    private func requireTrust(in base: Image, of plan: Plan) throws {
        guard let origin = try images.foreignOrigin(of: base.digest) else { return }
        throw BuildError(
            "foreign", "the base \(plan.recipe.base.text) is foreign, and this host's kernel would mount its file system",
            cause: "it came from \(origin), or stands on what did, and that is not trusted here",
            fix: "make a fresh file system of its files with `terrine import --rebuild` and name that, or say `--trust` if you know who made it")
    }

    private func baseImage(_ plan: Plan, _ options: Options, _ remote: RemoteSteps, _ built: inout [BuildResult.Step]) throws -> Image {
        let start = ContinuousClock.now
        let builder = BaseBuilder(images: images, plainHTTP: options.plainHTTP)
        var known: Image?
        if case .ready(let image, _) = try builder.state(of: plan) { known = image }
        if !options.updatesBase, let image = try known ?? builder.find(plan, in: remote) {
            reporter.report(.cached(step: 0))
            built.append(.init(plan.steps[0], key: image.cacheKey ?? image.digest.hex, isCached: true, reason: nil))
            return image
        }
        if options.isOffline {
            throw BuildError("offline", "the base \(plan.recipe.base.text) is not built, and this build is offline", fix: "build once without --offline")
        }
        var reason = options.updatesBase ? "asked for" : "never built"
        if !options.updatesBase, case .missing(let why) = try builder.state(of: plan) { reason = why }
        reporter.report(.started(step: 0, reason: reason))
        do {
            let line = { (text: String) in reporter.report(.output(step: 0, line: text)) }
            let image = try options.updatesBase ? builder.update(plan, line: line) : builder.image(of: plan, line: line)
            let time = ContinuousClock.now - start
            reporter.report(.finished(step: 0, milliseconds: time.milliseconds, bytes: nil))
            // Looked up again, and the same.
            let isSame = known?.digest == image.digest
            built.append(.init(plan.steps[0], key: image.cacheKey ?? image.digest.hex, isCached: isSame, reason: isSame ? nil : reason, time))
            return image
        } catch {
            reporter.report(.failed(step: 0, milliseconds: (ContinuousClock.now - start).milliseconds))
            throw error
        }
    }

    /// What is in the cache, noted as this recipe's last state of the step; or what a cache elsewhere has; or else what `make` makes, which one build at a
    /// time does.
    ///
    /// - Parameters:
    ///   - isRight: whether an image that was found elsewhere can be what the step makes; if nil, one that was made under this key.
    ///   - arrived: called once such an image is here, and known by its key.
    func cached(
        _ index: Int, of plan: Plan, _ key: StepKey, ignoresCache: Bool, _ remote: RemoteSteps, _ built: inout [BuildResult.Step],
        isRight: ((Image) -> Bool)? = nil, arrived: @escaping (Image) throws -> Void = { _ in }, make: (inout [BuildResult.Step]) throws -> Image
    ) throws -> Image {
        let step = plan.steps[index]
        func tell(_ image: Image) -> Image {
            reporter.report(.cached(step: index))
            built.append(.init(step, key: key.key, isCached: true, reason: nil))
            return image
        }
        func find() throws -> Image? {
            guard !ignoresCache, let image = try images.cached(key.key) else { return nil }
            remote.drop()
            try images.note(recipe: plan.recordName, step: step.id, record: key.record)
            return tell(image)
        }
        if let image = try find() { return image }
        if !ignoresCache {
            let found = remote.step(key.key, isRight: isRight ?? { $0.cacheKey == key.key }) { [images] image in
                try images.cache(key.key, image: image, recipe: plan.recordName, step: step.id, record: key.record)
                try arrived(image)
            }
            if let found { return tell(found) }
        }
        // Somebody is about to stand on what is before it.
        try remote.fetch()
        let flight = try images.flight(key.key, cancellation) { reporter.report(.waiting(step: index)) }
        return try withExtendedLifetime(flight) {
            // Another build may have made it while this one waited.
            if let image = try find() { return image }
            return try make(&built)
        }
    }

    func layer(
        _ index: Int, of plan: Plan, over parent: Image, base: Image, _ options: Options, _ remote: RemoteSteps, _ built: inout [BuildResult.Step]
    ) throws -> Image {
        let step = plan.steps[index]
        let key = StepKey(step, of: plan, parentLayers: parent.layers.map(\.description), baseEnvironment: base.environment)
        return try cached(index, of: plan, key, ignoresCache: options.ignoresCache, remote, &built) { built in
            let start = ContinuousClock.now
            let old = try images.lastRecord(recipe: plan.recordName, step: step.id)
            let reason = options.ignoresCache ? "asked for" : Plan.reason(old: old, new: key.record)
            reporter.report(.started(step: index, reason: reason))
            do {
                let (image, bytes) = try StepRunner(runner: self, plan: plan, index: index, key: key, secrets: options.secrets, isOffline: options.isOffline)
                    .run(over: parent)
                try images.cache(key.key, image: image, recipe: plan.recordName, step: step.id, record: key.record)
                let time = ContinuousClock.now - start
                reporter.report(.finished(step: index, milliseconds: time.milliseconds, bytes: bytes))
                built.append(.init(step, key: key.key, isCached: false, reason: reason, time))
                return image
            } catch {
                reporter.report(.failed(step: index, milliseconds: (ContinuousClock.now - start).milliseconds))
                throw error
            }
        }
    }

    // MARK: The end

    private func check(_ image: Image, _ plan: Plan, _ reference: String) throws {
        if plan.recipe.checks.isEmpty { return }
        let checks = CheckRunner(images: images, host: host, reporter: reporter, cancellation: cancellation)
        let failures = try checks.run(image, plan)
        guard !failures.isEmpty else { return }
        let said = failures.map(\.cause).filter { !$0.isEmpty }.joined(separator: "\n")
        let name = String(reference.prefix { $0 != ":" }) + ":unverified"
        try tag(name, image)
        throw BuildError(
            "checksFailed", failures.count == 1 ? failures[0].message : "\(failures.count) checks failed: " + failures.map(\.name).joined(separator: ", "),
            cause: said.isEmpty ? nil : said, fix: "the image is kept as \(name): `terrine run \(name) -- sh` shows what it lacks")
    }

    /// Nothing is written when the name already means this image.
    private func tag(_ reference: String, _ image: Image) throws {
        do {
            if try images.resolve(reference).digest == image.digest { return }
        } catch let error as ImageError where error.code == "notFound" {
            // A new name.
        }
        try images.tag(reference, image)
    }
}

/// What a build made.
public struct BuildResult: Sendable {
    public struct Step: Sendable {
        public let name: String
        public let key: String
        public let isCached: Bool
        /// Why it ran; nil when it was cached.
        public let reason: String?
        public let duration: Duration

        init(_ step: PlanStep, key: String, isCached: Bool, reason: String?, _ duration: Duration = .zero) {
            (name, self.key, self.isCached, self.reason, self.duration) = (step.name, key, isCached, reason, duration)
        }
    }

    public let image: Image
    /// With its tag.
    public let reference: String
    public let steps: [Step]
    public let duration: Duration
    /// What came from caches elsewhere.
    public let fetchedBytes: Int64
}

extension Plan {
    /// The recipe's name in the records of what ran last: two of one name in two folders are two recipes.
    var recordName: String { "\(recipe.name) \(recipe.folder)" }
}

extension ImageStore {
    /// Waits until nobody else makes what this key is for.
    ///
    /// - Parameter waiting: called once, if somebody does.
    func flight(_ key: String, _ cancellation: Cancellation, waiting: () -> Void) throws -> FileLock {
        if let lock = try flightLock(ifFree: key) { return lock }
        waiting()
        while true {
            try cancellation.check()
            if let lock = try flightLock(ifFree: key) { return lock }
            usleep(50_000)
        }
    }
}

extension Duration {
    /// Whole milliseconds.
    public var milliseconds: Int { Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000) }
}
