import Archives

/// The header of a qcow2 image, as far as it can lead elsewhere: https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt
struct QcowHeader {
    /// Bytes of the disk.
    let size: Int64

    /// - Throws: ``BuildError`` for one that stands on another file, which could be any of this host's.
    init(_ bytes: [UInt8], name: String) throws {
        func number(_ offset: Int, _ width: Int) -> UInt64 { bytes[offset..<(offset + width)].reduce(0) { $0 << 8 | UInt64($1) } }
        func bad(_ code: String, _ cause: String, _ fix: String) -> BuildError {
            BuildError(code, "\(name) is a qcow2 image that is not taken", cause: cause, fix: fix)
        }
        guard bytes.count >= 104, (2...3).contains(number(4, 4)) else {
            throw bad("damaged", "it is cut off, or of a version that is not known", "make it again with `qemu-img convert -O qcow2`")
        }
        let flat = "flatten it where it is at home: `qemu-img convert -O qcow2`"
        guard number(8, 8) == 0 else { throw bad("hostile", "it has a backing file, which could be any file of this host", flat) }
        guard number(32, 4) == 0 else { throw bad("unsupported", "it is encrypted", "decrypt it first with `qemu-img convert`") }
        // Bit 0, dirty, and 1, corrupt, are the check's business; 3 is the compression's, 4 the subclusters'.
        let features = number(4, 4) == 3 ? number(72, 8) : 0
        guard features & 0b100 == 0 else { throw bad("hostile", "its data are in another file, which could be any of this host", flat) }
        guard features & ~0b11111 == 0 else { throw bad("unsupported", "it has features that are not known", flat) }
        let size = number(24, 8)
        guard size > 0, size < 1 << 60 else { throw bad("damaged", "its disk has \(size) bytes", "make it again") }
        self.size = Int64(size)
    }
}
