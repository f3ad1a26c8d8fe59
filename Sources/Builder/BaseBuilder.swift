import ChunkStore
import Foundation
import Images
import Linux
import Recipes

/// Makes the images that recipes begin with, and remembers them.
///
/// A base is keyed by its definition and the hashes of the package indices that it was made from. Those hashes are recorded at the first
/// build and looked up again only when asked for (``update(_:line:)``): a cached build asks no mirror.
public struct BaseBuilder: Sendable {
    /// Raised when the same definition gives another disk.
    static let formatVersion = 1
    /// 2023-11-14: a constant, so that no image depends on the day of its build. Files of packages that are younger get this time.
    static let epoch = 1_700_000_000

    let images: ImageStore
    /// Talks to registries without TLS.
    let isPlain: Bool
    var home: String { images.home }

    public init(images: ImageStore, plainHTTP: Bool = false) { (self.images, isPlain) = (images, plainHTTP) }

    /// What is known of a base before anything is built.
    public enum State: Sendable {
        /// - Parameter built: when its packages were looked up, or it was fetched; nil for images that nothing makes anew.
        case ready(Image, built: Date?)
        case missing(reason: String)
    }

    /// Looks; builds nothing, asks no one.
    public func state(of plan: Plan) throws -> State {
        let folder = plan.recipe.folder
        switch plan.recipe.base {
        case .named(let name):
            guard let definition = try BaseDefinitions(folder: folder).find(name) else { return .ready(try local(name), built: nil) }
            let key = Self.key(of: definition)
            guard let record = try record(key, plan) else { return .missing(reason: "never built") }
            guard let image = try images.cached(record.cacheKey) else { return .missing(reason: "not in the store any more") }
            return .ready(image, built: Date(timeIntervalSince1970: record.built))
        case .image(let reference):
            return .ready(try images.resolve(reference), built: nil)
        case .tar:
            guard let image = try images.cached(Self.key(ofArchive: plan)) else { return .missing(reason: "never built from this archive") }
            return .ready(image, built: nil)
        case .oci(let reference):
            guard let record = try record(Self.key(ofRegistry: reference), plan) else { return .missing(reason: "never fetched") }
            guard let image = try images.cached(record.cacheKey) else { return .missing(reason: "not in the store any more") }
            return .ready(image, built: Date(timeIntervalSince1970: record.built))
        case .ociLayout:
            guard let image = try images.cached(Self.key(ofArchive: plan)) else { return .missing(reason: "never built from this layout") }
            return .ready(image, built: nil)
        }
    }

    /// The base's image, built when it is missing. Two processes that need the same base build it once.
    public func image(of plan: Plan, line: (String) -> Void = { _ in }) throws -> Image {
        if case .ready(let image, _) = try state(of: plan) { return image }
        let lock = try images.flightLock(flight(of: plan))
        return try withExtendedLifetime(lock) {
            if case .ready(let image, _) = try state(of: plan) { return image }
            return try build(plan, line)
        }
    }

    /// Makes a base again from what its mirrors or its registry have now. From unchanged packages comes the same disk, and all after it stays cached.
    public func update(_ plan: Plan, line: (String) -> Void = { _ in }) throws -> Image {
        switch plan.recipe.base {
        case .named(let name) where try definition(name, plan) != nil: break
        case .oci: break
        default: return try image(of: plan, line: line)
        }
        let lock = try images.flightLock(flight(of: plan))
        return try withExtendedLifetime(lock) { try build(plan, line) }
    }

    func definition(_ name: String, _ plan: Plan) throws -> BaseDefinition? { try BaseDefinitions(folder: plan.recipe.folder).find(name) }

    private func local(_ name: String) throws -> Image {
        do {
            return try images.resolve(name)
        } catch let error as ImageError where error.code == "notFound" {
            throw BuildError(
                "noBase", "there is no base `\(name)`: no Images/\(name).yaml and no local image of that name",
                fix: "name one of \(BaseDefinitions.builtInNames.joined(separator: ", ")), or an image of `terrine images`")
        }
    }

    private func flight(of plan: Plan) throws -> String {
        switch plan.recipe.base {
        case .named(let name): try definition(name, plan).map(Self.key) ?? Digest.of(text: name).hex
        case .tar, .ociLayout: Self.key(ofArchive: plan)
        default: Digest.of(text: plan.recipe.base.text).hex
        }
    }

    // MARK: Keys

    static func key(of definition: BaseDefinition) -> String {
        Digest.of(text: "base \(formatVersion) \(epoch) \(Plan.formatVersion) \(HostArchitecture.current) \(definition.canonical)").hex
    }

    /// - Parameter parts: the hashes of the package indices, or the packages that a lock names.
    static func cacheKey(_ definition: String, madeFrom parts: [String]) -> String { Digest.of(text: ([definition] + parts).joined(separator: "\n")).hex }

    static func key(ofArchive plan: Plan) -> String {
        var kind = "tar"
        if case .ociLayout(_, let reference) = plan.recipe.base { kind = "oci-layout \(reference ?? "")" }
        return Digest.of(text: "\(kind) \(formatVersion) \(epoch) \(HostArchitecture.current) \(plan.steps.first?.inputs.first?.digest ?? "")").hex
    }

    /// What the base was last made from; with a lock, what the base was made from that it names.
    func record(_ key: String, _ plan: Plan) throws -> BaseRecord? { try BaseRecord.load("\(home)/bases/\(recordName(key, plan)).json") }

    /// By its definition, and with a lock also by the packages that it names.
    func recordName(_ key: String, _ plan: Plan) -> String { locked(key, plan).map { key + "-" + Self.suffix($0) } ?? key }

    /// The names that a record is found by: by what a lock will say of it, and, if none said so before, by its definition alone.
    func recordNames(_ record: BaseRecord, _ key: String, _ plan: Plan) -> [String] {
        let exact = record.packages.map { key + "-" + Self.suffix($0) }
        return [exact, locked(key, plan) == nil ? key : nil].compactMap { $0 }
    }

    /// Durable when it returns.
    func save(_ record: BaseRecord, _ key: String, _ plan: Plan) throws {
        for name in recordNames(record, key, plan) { try record.save("\(home)/bases/\(name).json") }
    }

    /// The packages that the recipe's lock names for this definition; of a registry's image one, with the digest of its manifest.
    func locked(_ key: String, _ plan: Plan) -> [String]? {
        guard let lock = plan.lock, let base = lock.entry.base, base.asked == key, !base.packages.isEmpty, !lock.renewsBase else { return nil }
        return base.packages
    }

    private static func suffix(_ packages: [String]) -> String { String(Digest.of(text: packages.joined(separator: "\n")).hex.prefix(16)) }

    /// What the base came to, for the lock; nil for one that is not made from packages and not fetched, or is not there.
    ///
    /// - Parameter found: of one that was found elsewhere, and is not here yet.
    func resolution(of plan: Plan, found: BaseRecord? = nil) throws -> TerrineLock.Resolution? {
        let key: String
        switch plan.recipe.base {
        case .named(let name):
            guard let definition = try definition(name, plan) else { return nil }
            key = Self.key(of: definition)
        case .oci(let reference): key = Self.key(ofRegistry: reference)
        case .tar, .ociLayout, .image: return nil
        }
        guard let record = try found ?? record(key, plan), let packages = record.packages else { return nil }
        return .init(asked: key, packages: packages, indices: record.indices)
    }

    /// What the base is known by, also when its image is not in the store any more; nil when it was never made.
    func identity(of plan: Plan) throws -> String? {
        switch plan.recipe.base {
        case .named(let name):
            guard let definition = try definition(name, plan) else { return try local(name).digest.description }
            return try record(Self.key(of: definition), plan)?.cacheKey
        case .tar, .ociLayout: return Self.key(ofArchive: plan)
        case .image(let reference): return try images.resolve(reference).digest.description
        case .oci(let reference): return try record(Self.key(ofRegistry: reference), plan)?.cacheKey
        }
    }

    // MARK: Building

    private func build(_ plan: Plan, _ line: (String) -> Void) throws -> Image {
        let scratch = try ScratchFolder(home: home, purpose: "base")
        return try withExtendedLifetime(scratch) {
            switch plan.recipe.base {
            case .named(let name):
                guard let definition = try definition(name, plan) else { return try local(name) }
                let key = Self.key(of: definition)
                let result = try DebianBootstrap(debian: definition.debian, epoch: Self.epoch, locked: locked(key, plan)).run(in: scratch, line: line)
                let cacheKey = Self.cacheKey(key, madeFrom: locked(key, plan) ?? result.indices)
                let image = try write(
                    tar: result.tar, key: cacheKey, step: "base \(name)", size: definition.disk, journal: definition.journal, seed: key, scratch, line)
                try images.cache(cacheKey, image: image, recipe: "", step: "base \(name)", record: ["definition": definition.canonical])
                let record = BaseRecord(
                    name: name, cacheKey: cacheKey, built: Date().timeIntervalSince1970, indices: result.indices, packages: result.packages)
                try save(record, key, plan)
                return image
            case .tar(let path):
                let tar = plan.steps.first?.inputs.first?.source ?? path
                let key = Self.key(ofArchive: plan)
                let image = try write(tar: tar, key: key, step: "base tar", size: 16 << 30, journal: 16 << 20, seed: key, scratch, line)
                try images.cache(key, image: image, recipe: "", step: "base tar", record: ["archive": key])
                return image
            case .ociLayout(let path, let reference):
                var options = ImageImport.Options()
                options.reference = reference
                let source = URL(fileURLWithPath: plan.steps.first?.inputs.first?.source ?? path)
                // Of a layout its index is what counts; of an archive all.
                let place = source.lastPathComponent == "index.json" ? source.deletingLastPathComponent() : source
                let imported = try ImageImport(images: images).run(place.path, options, line: line)
                let key = Self.key(ofArchive: plan)
                try images.cache(key, image: imported.image, recipe: "", step: "base oci-layout", record: ["layout": key])
                return imported.image
            case .oci(let reference): return try fetch(reference, plan, scratch, line)
            case .image:
                throw BuildError("internal", "the base \(plan.recipe.base.text) is not one that is built")
            }
        }
    }

    /// A tar archive as an image of one layer.
    private func write(
        tar: String, key: String, step: String, size: Int64, journal: Int64, seed: String, _ scratch: ScratchFolder, _ line: (String) -> Void
    ) throws -> Image {
        let start = ContinuousClock.now
        line("writing the disk")
        let disk = scratch.path + "/disk"
        try Ext4Writer(size: size, journal: journal, seed: Digest.of(text: seed), epoch: Self.epoch).write(tar: tar, to: disk, scratch: scratch)
        line("packing the disk")
        var draft = ImageDraft(
            parent: nil, virtualBytes: size, environment: ["PATH": Recipe.systemPath], machine: MachineDefaults(), step: step, cacheKey: key)
        draft.made = MakerNote(duration: ContinuousClock.now - start)
        return try images.write(draft) { try DiskFeeder.feed(disk, to: $0) }
    }
}
