import CLinux
import Glibc
import Linux

/// The name of the one file in a mounted export.
public let exportFileName = "disk"

/// Opens `/dev/fuse` and mounts a file system with one file, ``exportFileName``, on the folder `path`, for root alone.
///
/// Returns at once; whoever touches the mount waits until a ``FUSEExport`` serves the descriptor. The mount is dead when the last copy of the
/// descriptor is closed, so a process that outlives the server must hold it. There is but one, shared by all threads of a server: a clone of it
/// (`FUSE_DEV_IOC_CLONE`) would answer what was in flight with ECONNABORTED when its process dies, and a takeover would lose writes.
public func mountFUSE(at path: String) throws -> Descriptor {
    let device = try Descriptor("/dev/fuse", O_RDWR)
    try mount(
        "terrine", at: path, type: "fuse.terrine", [.noSetUID, .noDevices, .noExecution, .noAccessTime],
        options: "fd=\(device.raw),rootmode=40000,user_id=0,group_id=0")
    return device
}
