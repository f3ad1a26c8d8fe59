/// A folder or file of the host in a machine.
public struct Bind: Codable, Sendable, Hashable {
    /// Absolute, on the host.
    public var source: String
    /// Absolute, in the machine.
    public var target: String
    public var readOnly: Bool

    public init(source: String, target: String, readOnly: Bool) { (self.source, self.target, self.readOnly) = (source, target, readOnly) }
}
