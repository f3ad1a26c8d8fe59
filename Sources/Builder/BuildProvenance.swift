import ChunkStore
import Foundation
import Glibc
import Images
import Recipes
import Remotes

extension Provenance {
    /// How an image was made: the recipe, the base, what each step read, and the commits of repositories.
    init(_ plan: Plan, base: Image, steps: [BuildResult.Step], version: String) {
        var materials = [Material(name: "base \(plan.recipe.base.text)", digest: ["sha256": base.digest.hex])]
        for step in plan.steps {
            if !step.inputs.isEmpty {
                // One digest for all: a workspace may have a hundred thousand files.
                let list = step.inputs.map { "\($0.digest) \(String($0.mode, radix: 8)) \($0.path)\n" }.sorted().joined()
                materials.append(Material(name: "inputs of \(step.name)", digest: ["sha256": Digest.of(text: list).hex]))
            }
            for clone in step.clones { materials.append(Material(name: clone.localPath == nil ? clone.url : clone.path, digest: ["gitCommit": clone.commit])) }
        }
        // All files that the recipe is made of, as `sha256sum` lists them.
        let files = plan.recipe.texts.sorted { $0.key < $1.key }.map { "\(Digest.of(text: $0.value).hex)  \(($0.key as NSString).lastPathComponent)\n" }
        self.init(
            recipe: Material(name: plan.recipe.name, digest: ["sha256": Digest.of(text: files.joined()).hex]),
            steps: steps.map { Step(name: $0.name, key: $0.key) },
            materials: materials, builder: "terrine://\(Self.host)", version: version, finished: Date())
    }

    private static var host: String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
