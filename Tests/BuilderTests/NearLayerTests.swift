import ChunkStore
import Images
import Recipes
import Testing

@testable import Builder

@Suite("Layers of packages of other builds")
struct NearLayerTests {
    /// A store with an empty base, and the plan of a recipe that asks for packages on it.
    private struct Shelf {
        let images: ImageStore
        let base: Image
        let plan: Plan
        private let folder: TestFolder
        private let work: TestFolder

        init(_ packages: String) throws {
            folder = try TestFolder()
            work = try TestFolder()
            images = try ImageStore(home: folder.path)
            base = try Self.image(images, nil, fill: 1)
            try images.tag("base:1", base)
            try work.write("terrine.yaml", "version: 1\nname: app\nbase: base:1\npackages: { apt: [\(packages)] }\n")
            plan = try Plan.make(Recipe.load(work.path))
        }

        static func image(_ images: ImageStore, _ parent: Image?, fill: UInt8, labels: [String: String] = [:], key: String? = nil) throws -> Image {
            let draft = ImageDraft(
                parent: parent, virtualBytes: 1 << 20, environment: [:], machine: MachineDefaults(), step: "packages", cacheKey: key, labels: labels)
            return try images.write(draft) { layer in
                try [UInt8](repeating: fill, count: 65536).withUnsafeBytes { try layer.add(0, $0) }
            }
        }

        /// Puts a layer into the cache in which some packages are installed.
        @discardableResult
        func add(_ packages: String..., over parent: Image? = nil, step: String = "packages.apt", fill: UInt8) throws -> Image {
            let lines = packages.map { "\($0):amd64 1.0-\(fill)" }.joined(separator: "\n")
            let image = try Self.image(images, parent ?? base, fill: fill, labels: [PlanRunner.installedLabel("apt"): lines], key: "key \(fill)")
            try images.cache("key \(fill)", image: image, recipe: "other", step: step, record: [:])
            return image
        }

        func find() throws -> NearLayer? { try NearLayer.find(for: plan.steps[1], on: base, in: images) }
    }

    @Test("the one that has most of what is asked for is the nearest, and among equals the smallest")
    func nearest() throws {
        let shelf = try Shelf("git, make=4.3, \"libz-dev:amd64\", curl")
        #expect(try shelf.find() == nil)
        try shelf.add("git", "vim", fill: 2)
        #expect(try shelf.find() == nil, "a quarter of them is too little")
        try shelf.add("git", "make", "vim", "emacs", fill: 3)
        #expect(try shelf.find()?.has == ["git", "make"])
        let smaller = try shelf.add("git", "make", "vim", fill: 4)
        #expect(try shelf.find()?.image.digest == smaller.digest)
        let most = try shelf.add("git", "libz-dev", "make", "vim", "emacs", fill: 5)
        let near = try #require(try shelf.find())
        #expect(near.image.digest == most.digest && near.has == ["git", "libz-dev", "make"] && near.asked == 4)
    }

    @Test("what stands on another base, has more than packages, or was made by another manager is not near")
    func strangers() throws {
        let shelf = try Shelf("git")
        let other = try Shelf.image(shelf.images, nil, fill: 9)
        try shelf.add("git", over: other, fill: 2)
        let step = try Shelf.image(shelf.images, shelf.base, fill: 8)
        try shelf.add("git", over: step, fill: 3)
        try shelf.add("git", step: "packages.pip", fill: 4)
        #expect(try shelf.find() == nil)
        try shelf.add("git", fill: 5)
        #expect(try shelf.find()?.has == ["git"])
    }
}
