import CLinux
import Glibc

extension Descriptor {
    /// Gives back the room of these bytes, which read as zeroes from then on; the file keeps its size.
    ///
    /// - Throws: ``LinuxError`` `EOPNOTSUPP` on a file system without holes.
    public func punchHole(_ bytes: Range<Int>) throws {
        let keepSizePunchHole = 1 | 2
        try check("punch a hole in", "descriptor \(raw)") {
            clinux_syscall6(Int(SYS_fallocate), Int(raw), keepSizePunchHole, bytes.lowerBound, bytes.count, 0, 0)
        }
    }
}
