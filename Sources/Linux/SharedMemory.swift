import CLinux
import Glibc

extension Descriptor {
    /// An empty file in memory that lives as long as somebody holds it.
    public static func memory(named name: String) throws -> Descriptor {
        let closeOnExec = 1
        let raw = try name.withCString { text in
            try check("make", "memory for \(name)") { clinux_syscall6(Int(SYS_memfd_create), Int(bitPattern: text), closeOnExec, 0, 0, 0, 0) }
        }
        return Descriptor(owning: Int32(raw))
    }
}
