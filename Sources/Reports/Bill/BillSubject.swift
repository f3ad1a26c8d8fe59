/// The image that a bill of materials is of: what it says of itself, and nothing else.
public struct BillSubject: Sendable {
    /// Without a tag, such as `shop-api`.
    public var name: String
    /// Of the image's config, in hex.
    public var digest: String
    /// In hex, oldest first.
    public var layers: [String]
    /// Whether the oldest layer is another image's: the base's.
    public var hasBase: Bool
    /// What is noted beside: recipe, step, keys. By name.
    public var facts: [String: String]

    public init(name: String, digest: String, layers: [String], hasBase: Bool, facts: [String: String]) {
        (self.name, self.digest, self.layers, self.hasBase) = (name, digest, layers, hasBase)
        self.facts = facts
    }
}
