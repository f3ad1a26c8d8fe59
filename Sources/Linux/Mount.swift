import CLinux
import Glibc

/// What a mount may and may not do.
public struct MountFlags: OptionSet, Sendable {
    public let rawValue: UInt
    public init(rawValue: UInt) { self.rawValue = rawValue }
    public static let readOnly = MountFlags(rawValue: 1)
    public static let noSetUID = MountFlags(rawValue: 2)
    public static let noDevices = MountFlags(rawValue: 4)
    public static let noExecution = MountFlags(rawValue: 8)
    public static let remount = MountFlags(rawValue: 32)
    public static let noAccessTime = MountFlags(rawValue: 1024)
    public static let bind = MountFlags(rawValue: 4096)
    public static let recursive = MountFlags(rawValue: 16384)
    public static let isPrivate = MountFlags(rawValue: 1 << 18)
}

/// Mounts `source` of `type` at `target`.
public func mount(_ source: String, at target: String, type: String?, _ flags: MountFlags = [], options: String = "") throws {
    try check("mount \(source) at", target) { Glibc.mount(source, target, type, flags.rawValue, options) }
}

/// Unmounts what is at `target`; `lazily`: when nobody uses it any more.
public func unmount(_ target: String, lazily: Bool = false) throws {
    try check("unmount", target) { umount2(target, lazily ? Int32(MNT_DETACH) : 0) }
}

/// Gives this process a mount namespace of its own, from which nothing spreads to the host and in which nothing appears later.
///
/// Must run before the process starts a second thread. In a chroot whose `/` is no mount point, the tree below it becomes the namespace's own root:
/// an OCI runtime can pivot away from a mount point only, and the kernel gives no user namespace to a process whose root is not its namespace's.
public func enterPrivateMountNamespace() throws {
    try check("unshare", "the mount namespace") { clinux_syscall6(Int(SYS_unshare), 0x0002_0000, 0, 0, 0, 0, 0) }
    do {
        try mount("none", at: "/", type: nil, [.recursive, .isPrivate])
    } catch let error as LinuxError where error.code == EINVAL {
        let cloneTree = 1
        let recursive = 0x8000
        let tree = try openTree("/", cloneTree | recursive | Int(O_CLOEXEC))
        try setMount(tree, mount_attr(attr_set: 0, attr_clr: 0, propagation: UInt64(MountFlags.isPrivate.rawValue), userns_fd: 0), recursive, "/")
        try climbToNamespaceRoot()
        try mount("none", at: "/", type: nil, [.recursive, .isPrivate])
        try moveMount(tree, to: "/")
        try check("change to", "/") { fchdir(tree.raw) }
        try check("change the root to", "/") { chroot(".") }
    }
}

/// Makes the mount namespace's root this process's, for as long as it takes to mount the chroot's own tree there: a root that is below the working
/// folder does not stop `..`. Nothing of the host is opened.
private func climbToNamespaceRoot() throws {
    let top = try Descriptor("/", O_RDONLY | O_DIRECTORY)
    // Any folder below will do; each of these is there wherever there is a kernel.
    try check("change the root to", "/proc") { chroot("/proc") }
    try check("change to", "/") { fchdir(top.raw) }
    while true {
        var here = stat()
        var above = stat()
        try check("look at", ".") { stat(".", &here) }
        try check("look at", "..") { stat("..", &above) }
        if here.st_dev == above.st_dev, here.st_ino == above.st_ino { break }
        try check("change to", "..") { chdir("..") }
    }
    try check("change the root to", "the namespace's") { chroot(".") }
}

private let emptyPath = 0x1000
private let noPath: [CChar] = [0]

private func openTree(_ path: String, _ flags: Int) throws -> Descriptor {
    let raw = try path.withCString { text in
        try check("open the tree at", path) { clinux_syscall6(Int(SYS_open_tree), Int(AT_FDCWD), Int(bitPattern: text), flags, 0, 0, 0) }
    }
    return Descriptor(owning: Int32(raw))
}

private func setMount(_ tree: Descriptor, _ attributes: mount_attr, _ flags: Int, _ subject: String) throws {
    var attributes = attributes
    try noPath.withUnsafeBufferPointer { none in
        _ = try check("set the attributes of", subject) {
            withUnsafeMutablePointer(to: &attributes) {
                clinux_syscall6(
                    Int(SYS_mount_setattr), Int(tree.raw), Int(bitPattern: none.baseAddress), emptyPath | flags, Int(bitPattern: $0),
                    MemoryLayout<mount_attr>.size, 0)
            }
        }
    }
}

private func moveMount(_ tree: Descriptor, to target: String) throws {
    try noPath.withUnsafeBufferPointer { none in
        try target.withCString { path in
            let moveEmptyPath = 4
            _ = try check("mount at", target) {
                clinux_syscall6(
                    Int(SYS_move_mount), Int(tree.raw), Int(bitPattern: none.baseAddress), Int(AT_FDCWD), Int(bitPattern: path), moveEmptyPath, 0)
            }
        }
    }
}

/// Mounts the tree at `source` at `target` as well, with file owners mapped through `userNamespace`; set-user-id programs work there.
///
/// Source: mount_setattr(2), MOUNT_ATTR_IDMAP.
public func mountMapped(_ source: String, at target: String, userNamespace: Descriptor) throws {
    let cloneTree = 1
    let tree = try openTree(source, cloneTree | Int(O_CLOEXEC))
    let attributes = mount_attr(
        attr_set: UInt64(MOUNT_ATTR_IDMAP), attr_clr: UInt64(MOUNT_ATTR_NOSUID), propagation: 0, userns_fd: UInt64(userNamespace.raw))
    try setMount(tree, attributes, 0, source)
    try moveMount(tree, to: target)
}
