import Builder
import Recipes
import Synchronization

/// Locks that several images are written into: the images of a matrix have one. It is laid into the workspace of each when it is whole.
final class SharedLocks: Sendable {
    typealias Write = @Sendable (TerrineLock.Entry) throws -> Bool

    private let paths: [String]
    private let changed = Mutex<Set<String>>([])

    init(_ recipes: [Recipe]) { paths = recipes.map { TerrineLock.path(for: $0) } }

    /// Writes an image's entry, and waits until those of the others are written too.
    ///
    /// - Returns: a function that says whether any of them changed the file.
    func whole<Value: Sendable>(_ index: Int, _ all: SideBySide<Value>, _ write: @escaping Write) -> Write {
        let path = paths[index]
        let sharers = Set(paths.indices.filter { paths[$0] == path })
        return { [self] entry in
            if try write(entry) { changed.withLock { _ = $0.insert(path) } }
            if sharers.count > 1 { all.meet(index, sharers) }
            return changed.withLock { $0.contains(path) }
        }
    }
}
