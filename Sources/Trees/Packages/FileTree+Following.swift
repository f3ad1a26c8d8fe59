extension FileTree {
    /// What is at a path when the links on the way and the last one are followed, as a process with this tree as its root would; nil where nothing is, and where
    /// links lead in a circle. Nothing outside the tree is ever looked at.
    public func node(following path: ByteString) -> FileNode? {
        var pending = Array(path.components.reversed())
        var trail = [root]
        var links = 0
        while let name = pending.popLast() {
            if name == ".." {
                if trail.count > 1 { trail.removeLast() }
                continue
            }
            guard let next = trail.last?.folder?[name] else { return nil }
            guard case .symlink(let target) = next.kind else {
                trail.append(next)
                continue
            }
            // As many as Linux follows: path_resolution(7).
            links += 1
            if links > 40 { return nil }
            if target.bytes.first == 0x2F { trail = [root] }
            pending += target.components.reversed()
        }
        return trail.last
    }
}
