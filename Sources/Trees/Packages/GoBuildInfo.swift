/// The modules that a program of Go was built from: the linker leaves them in its section `.go.buildinfo`.
///
/// Source: https://pkg.go.dev/debug/buildinfo, and its implementation for the form since Go 1.18, which has the texts in place. Older programs have pointers
/// there; they tell nothing here.
enum GoBuildInfo {
    /// None for a file that is no ELF program of 64 bits, or none of Go's.
    static func packages(_ content: any FileContent, path: String) throws -> [InstalledPackage] {
        guard let section = try section(".go.buildinfo", of: content) else { return [] }
        return packages(section: section, path: path)
    }

    static func packages(section: [UInt8], path: String) -> [InstalledPackage] {
        let magic = [0xFF] + Array(" Go buildinf:".utf8)
        guard section.count > 32, section.starts(with: magic), section[15] & 2 != 0 else { return [] }
        var rest = section[32...]
        guard let version = text(&rest), let modules = text(&rest) else { return [] }
        var packages: [InstalledPackage] = []
        if version.hasPrefix("go") {
            // `go1.22.1 X:experiment`
            packages.append(InstalledPackage(.go, name: "stdlib", version: String(version.dropFirst(2).prefix { $0 != " " }), path: path))
        }
        // Between two marks of 16 bytes, if there is anything.
        guard modules.count >= 33, modules[modules.count - 17] == 0x0A else { return packages }
        for line in modules[16..<modules.count - 16].split(separator: 0x0A) {
            let fields = line.split(separator: 0x09, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
            guard fields.count >= 3, ["dep", "mod", "=>"].contains(fields[0]), !fields[1].isEmpty, !fields[2].isEmpty else { continue }
            // What replaces a module is what was built.
            if fields[0] == "=>", packages.count > 1 { packages.removeLast() }
            packages.append(InstalledPackage(.go, name: fields[1], version: fields[2], path: path))
        }
        return packages
    }

    /// A length (LEB128) and as many bytes.
    private static func text(_ rest: inout ArraySlice<UInt8>) -> GoText? {
        var (length, shift) = (0, 0)
        while let byte = rest.popFirst() {
            length |= Int(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 { break }
            if shift > 28 { return nil }
        }
        guard length <= rest.count else { return nil }
        defer { rest = rest.dropFirst(length) }
        return GoText(bytes: Array(rest.prefix(length)))
    }

    private struct GoText {
        let bytes: [UInt8]
        var count: Int { bytes.count }
        subscript(index: Int) -> UInt8 { bytes[index] }
        subscript(range: Range<Int>) -> ArraySlice<UInt8> { bytes[range] }
        func hasPrefix(_ prefix: String) -> Bool { bytes.starts(with: prefix.utf8) }
        func dropFirst(_ count: Int) -> String { String(decoding: bytes.dropFirst(count), as: UTF8.self) }
    }

    // MARK: ELF

    /// A section of a 64-bit little-endian ELF file; nil for other files. elf(5)
    private static func section(_ name: String, of content: any FileContent) throws -> [UInt8]? {
        func bytes(_ start: UInt64, _ count: UInt64) throws -> [UInt8]? {
            guard count <= 4 << 20, start <= UInt64(content.size), count <= UInt64(content.size) - start else { return nil }
            var buffer = [UInt8](repeating: 0, count: Int(count))
            try buffer.withUnsafeMutableBytes { if !$0.isEmpty { try content.read(into: $0, at: Int64(start)) } }
            return buffer
        }
        guard let head = try bytes(0, 64), head.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return nil }
        let (entrySize, count, names) = (head.number(58, 2), head.number(60, 2), head.number(62, 2))
        guard entrySize >= 64, names < count, let table = try bytes(head.number(40, 8), entrySize * count) else { return nil }
        func entry(_ index: UInt64) -> (name: Int, offset: UInt64, size: UInt64) {
            let at = Int(index * entrySize)
            return (Int(table.number(at, 4)), table.number(at + 24, 8), table.number(at + 32, 8))
        }
        let texts = entry(names)
        guard let strings = try bytes(texts.offset, texts.size) else { return nil }
        for index in 0..<count {
            let (place, offset, size) = entry(index)
            guard place < strings.count, strings[place...].prefix(while: { $0 != 0 }).elementsEqual(name.utf8) else { continue }
            return try bytes(offset, size)
        }
        return nil
    }
}

extension [UInt8] {
    /// An unsigned number, little end first.
    fileprivate func number(_ offset: Int, _ size: Int) -> UInt64 { (0..<size).reduce(0) { $0 | UInt64(self[offset + $1]) << UInt64(8 * $1) } }
}
