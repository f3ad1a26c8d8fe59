import Glibc
import Linux
import Recipes

/// Caches that only one step may use at a time, held while it runs.
struct CacheLocks {
    private let held: [FileLock]

    /// Waits until nobody else uses them.
    ///
    /// - Parameter waiting: called once, if somebody does.
    init(_ caches: [Recipe.Cache], of recipe: Recipe, home: String, _ cancellation: Cancellation, waiting: (String) -> Void) throws {
        var held: [FileLock] = []
        let folders = CacheFolders(home: home)
        // In one order for all, so that two steps never wait for each other.
        for cache in caches.filter({ !$0.isConcurrent }).sorted(by: { folders.path(of: $0, recipe) < folders.path(of: $1, recipe) }) {
            let path = folders.path(of: cache, recipe) + ".lock"
            var isTold = false
            while true {
                if let lock = try FileLock(ifFree: path) {
                    held.append(lock)
                    break
                }
                if !isTold { waiting(cache.name) }
                isTold = true
                try cancellation.check()
                usleep(50_000)
            }
        }
        self.held = held
    }
}
