import Glibc
import Linux

/// Reads a `Contents` index of an archive: a line a file, its path, then the packages that have it. Source: the Debian wiki, "RepositoryFormat".
struct ContentsReader {
    let classifier: ContentsClassifier

    init(architecture: String) { classifier = ContentsClassifier(architecture: architecture) }

    /// What lines begin with that are worth more than a glance: nine of ten are not.
    private static let beginnings: [[UInt8]] = [
        "bin/", "sbin/", "lib/", "etc/", "var/lib/ghc/", "usr/bin/", "usr/sbin/", "usr/games/", "usr/include/", "usr/lib/", "usr/libexec/",
        "usr/share/pkgconfig/",
        "usr/share/perl", "usr/share/nodejs/", "usr/share/lua/", "usr/share/aclocal/", "usr/share/maven-repo/", "usr/share/java/", "usr/share/cargo/",
        "usr/share/gocode/", "usr/share/rubygems-integration/", "usr/share/tcltk/", "usr/share/vala", "usr/share/dict/", "usr/share/misc/",
        "usr/share/postgresql/",
    ].map { Array($0.utf8) }

    private static func isWorthLooking(_ line: UnsafeRawBufferPointer) -> Bool {
        guard let base = line.baseAddress else { return false }
        if beginnings.contains(where: { line.count > $0.count && memcmp(base, $0, $0.count) == 0 }) { return true }
        return cmake.withUnsafeBytes { TextSearch.find($0, in: line) != nil }
    }

    private static let cmake = Array(".cmake ".utf8)

    /// Takes a part of the index that ends with whole lines.
    func read(_ bytes: UnsafeRawBufferPointer, into writer: inout KnowledgeWriter) {
        var start = 0
        while start < bytes.count, let base = bytes.baseAddress {
            let end = memchr(base + start, 0x0A, bytes.count - start).map { UnsafeRawPointer($0) - base } ?? bytes.count
            let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            if Self.isWorthLooking(line) { take(line, &writer) }
            start = end + 1
        }
    }

    private func take(_ line: UnsafeRawBufferPointer, _ writer: inout KnowledgeWriter) {
        let space = UInt8(ascii: " ")
        // A path may have spaces in it; what stands after the last one are the packages.
        guard let gap = line.lastIndex(where: { $0 == space || $0 == 0x09 }) else { return }
        var end = gap
        while end > 0, line[end - 1] == space || line[end - 1] == 0x09 { end -= 1 }
        guard end > 0, let path = ContentsPath(UnsafeRawBufferPointer(rebasing: line[..<end])) else { return }
        let keys = classifier.keys(of: path)
        if keys.isEmpty { return }
        for owner in line[(gap + 1)...].split(separator: UInt8(ascii: ",")) {
            for key in keys { writer.add(key, owner: UnsafeRawBufferPointer(rebasing: owner)) }
        }
    }

    /// Reads a file through apt's own decompressor, whatever it is compressed with.
    func read(file: String, into writer: inout KnowledgeWriter) throws {
        try AptProgram.lines(of: file) { read($0, into: &writer) }
    }
}
