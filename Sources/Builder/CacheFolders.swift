import ChunkStore
import Foundation
import Recipes

/// Where the caches of steps are on this host: folders that live on between builds and are in no layer.
struct CacheFolders {
    let home: String

    /// Makes the caches' folders and says where each is to be seen: the machine's path by the host's.
    func binds(_ caches: [Recipe.Cache], of recipe: Recipe) throws -> [String: String] {
        var binds: [String: String] = [:]
        for cache in caches {
            let path = path(of: cache, recipe)
            // The folders above are root's alone; what is in a cache belongs to whoever writes it.
            try FileManager.default.createDirectory(atPath: home + "/caches", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            if !FileManager.default.fileExists(atPath: path) {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                try FileManager.default.setAttributes([.posixPermissions: 0o1777], ofItemAtPath: path)
            }
            binds[path] = cache.path
        }
        return binds
    }

    /// A recipe is known by its name and its folder: another one of the same name has caches of its own.
    func path(of cache: Recipe.Cache, _ recipe: Recipe) -> String {
        if cache.isShared { return "\(home)/caches/shared/\(cache.name)" }
        return "\(home)/caches/recipes/\(recipe.name)-\(Digest.of(text: recipe.folder).hex.prefix(8))/\(cache.name)"
    }
}
