import Trees

/// One file of an archive, as the archive has it.
public struct TarEntry: Sendable {
    public enum Kind: Sendable {
        case file(TarContent)
        case folder
        /// A path in the same archive, or in a layer below.
        case hardLink(to: ByteString)
        case symlink(to: ByteString)
        case characterDevice(DeviceNumber)
        case blockDevice(DeviceNumber)
        case fifo
    }

    public var path: ByteString
    public var kind: Kind
    /// Permissions with set-id and sticky bits; the type's bits are not among them.
    public var mode: UInt16
    public var user: UInt32
    public var group: UInt32
    public var modified: FileTime
    /// By name, with the namespace: `user.…`, `security.capability`.
    public var attributes: [ByteString: [UInt8]]
    /// Where its header begins, in bytes of the archive.
    public var offset: Int64

    /// What it takes in memory, about.
    var metadataBytes: Int {
        let link =
            switch kind {
            case .hardLink(let target), .symlink(let target): target.count
            default: 0
            }
        return path.count + link + attributes.reduce(0) { $0 + $1.key.count + $1.value.count }
    }
}
