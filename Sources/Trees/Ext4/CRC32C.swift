/// CRC-32C (Castagnoli) as ext4 uses it: begun with all ones or a seed, never inverted at the end.
///
/// Eight bytes a step, by tables; https://www.kernel.org/doc/html/latest/filesystems/ext4/overview.html#checksums
enum CRC32C {
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
            tables[byte] = value
        }
        for byte in 0..<256 {
            for table in 1..<8 {
                let before = tables[(table - 1) * 256 + byte]
                tables[table * 256 + byte] = tables[Int(before & 0xFF)] ^ before >> 8
            }
        }
        return tables
    }()

    static func update(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { tables in
            var crc = crc
            var at = 0
            while bytes.count - at >= 8 {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ UInt64(crc)
                crc = 0
                for index in 0..<8 { crc ^= tables[(7 - index) * 256 + Int(truncatingIfNeeded: word >> UInt64(index * 8)) & 0xFF] }
                at += 8
            }
            while at < bytes.count {
                crc = tables[Int((crc ^ UInt32(bytes[at])) & 0xFF)] ^ crc >> 8
                at += 1
            }
            return crc
        }
    }

    static func update(_ crc: UInt32, _ bytes: some Collection<UInt8>) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { update(crc, UnsafeRawBufferPointer($0)) } ?? Array(bytes).withUnsafeBytes { update(crc, $0) }
    }

    /// Goes on with a number, little-endian.
    static func update(_ crc: UInt32, _ number: some FixedWidthInteger) -> UInt32 {
        withUnsafeBytes(of: number.littleEndian) { update(crc, $0) }
    }
}
