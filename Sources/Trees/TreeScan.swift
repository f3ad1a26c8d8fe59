import ChunkStore

extension FileTree {
    /// Looks at every content once.
    ///
    /// - Throws: what reading throws.
    public func scan() throws -> [ObjectIdentifier: ContentScan] {
        var found: [(id: ObjectIdentifier, content: any FileContent)] = []
        var seen = Set<ObjectIdentifier>()
        walk { _, node in
            let id = ObjectIdentifier(node)
            if let content = node.content, seen.insert(id).inserted { found.append((id, content)) }
        }
        return Dictionary(uniqueKeysWithValues: zip(found.map(\.id), try ContentDigest.scan(found.map(\.content))))
    }
}
