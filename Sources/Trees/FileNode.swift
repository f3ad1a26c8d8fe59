/// A file of any kind, apart from its name: what ext4 calls an inode. One that is in folders under several names is a hard link.
///
/// Unchecked, as ``FileTree`` says: one thread makes it, then any number read it.
public final class FileNode: @unchecked Sendable {
    public enum Kind {
        case folder(FileFolder)
        case file(any FileContent)
        case symlink(ByteString)
        case characterDevice(DeviceNumber)
        case blockDevice(DeviceNumber)
        case fifo
        case socket
    }

    public var kind: Kind
    /// Permissions with setuid, setgid and the sticky bit: at most 0o7777.
    public var mode: UInt16
    public var user: UInt32
    public var group: UInt32
    /// When the content last changed.
    public var modified: FileTime
    /// By full name, such as `security.capability`. ACLs are here too, as Linux gives them out: `system.posix_acl_access`.
    public var attributes: [ByteString: [UInt8]]

    public init(
        _ kind: Kind, mode: UInt16, user: UInt32 = 0, group: UInt32 = 0, modified: FileTime = FileTime(seconds: 0),
        attributes: [ByteString: [UInt8]] = [:]
    ) {
        (self.kind, self.mode, self.user, self.group, self.modified, self.attributes) = (kind, mode, user, group, modified, attributes)
    }

    /// What is in it, if it is a folder.
    public var folder: FileFolder? { if case .folder(let folder) = kind { folder } else { nil } }
    /// What it holds, if it is a regular file.
    public var content: (any FileContent)? { if case .file(let content) = kind { content } else { nil } }
}

/// What a folder has in it, by name. Shared as its ``FileNode`` is.
public final class FileFolder: @unchecked Sendable {
    public private(set) var children: [ByteString: FileNode]

    public init(_ children: [ByteString: FileNode] = [:]) { self.children = children }

    /// Nil takes the name away. A folder may be in one folder only, and never in itself.
    public subscript(name: ByteString) -> FileNode? {
        get { children[name] }
        set { children[name] = newValue }
    }

    /// By their names' bytes.
    public var sorted: [(name: ByteString, node: FileNode)] { children.map { (name: $0.key, node: $0.value) }.sorted { $0.name < $1.name } }

    deinit {
        // One by one: left to itself, Swift would free folders within folders by calls within calls, until the stack ends.
        var pending = Array(children.values)
        children = [:]
        while var node = pending.popLast() {
            guard isKnownUniquelyReferenced(&node), case .folder(var folder) = node.kind else { continue }
            node.kind = .fifo
            guard isKnownUniquelyReferenced(&folder) else { continue }
            pending += folder.children.values
            folder.children = [:]
        }
    }
}

/// Since 1970; `nanoseconds` is less than 1,000,000,000 and counts forwards, before 1970 too.
public struct FileTime: Hashable, Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32 = 0) { (self.seconds, self.nanoseconds) = (seconds, nanoseconds) }
}

/// Which device a device file stands for; Linux has 12 bits for `major` and 20 for `minor`.
public struct DeviceNumber: Hashable, Sendable {
    public var major: UInt32
    public var minor: UInt32

    public init(major: UInt32, minor: UInt32) { (self.major, self.minor) = (major, minor) }
}
