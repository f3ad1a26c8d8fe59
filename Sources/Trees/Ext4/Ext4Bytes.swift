/// Bytes of a file system: little-endian numbers, none read past the end.
struct Ext4Bytes {
    let bytes: [UInt8]
    /// What they are, for the error.
    let name: String

    init(_ bytes: [UInt8], _ name: String) { (self.bytes, self.name) = (bytes, name) }

    var count: Int { bytes.count }

    private func number<Number: FixedWidthInteger>(_ at: Int, _: Number.Type) throws -> Number {
        guard at >= 0, at <= bytes.count - MemoryLayout<Number>.size else { throw Ext4Damage("\(name) ends too early") }
        return bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: Number.self)) }
    }

    func u8(_ at: Int) throws -> Int { Int(try number(at, UInt8.self)) }
    func u16(_ at: Int) throws -> UInt16 { try number(at, UInt16.self) }
    func u32(_ at: Int) throws -> UInt32 { try number(at, UInt32.self) }
    func big32(_ at: Int) throws -> UInt32 { try number(at, UInt32.self).byteSwapped }

    func slice(_ at: Int, _ count: Int) throws -> [UInt8] {
        guard at >= 0, count >= 0, at <= bytes.count, count <= bytes.count - at else { throw Ext4Damage("\(name) ends too early") }
        return Array(bytes[at..<at + count])
    }
}

/// What is wrong with a file system, before it is known which file is concerned.
struct Ext4Damage: Error {
    let cause: String

    init(_ cause: String) { self.cause = cause }

    func error(_ place: String) -> TreeError {
        TreeError(
            "corrupt", "\(place) cannot be read", cause: cause,
            fix: "`e2fsck -fn` on the disk tells all that is wrong with it; mend it there, or get it again from where it came")
    }
}
