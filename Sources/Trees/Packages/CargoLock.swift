/// The crates of a `Cargo.lock`.
///
/// Source: https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html; the file is written by cargo in one form only, `key = "text"` lines and lists of
/// texts below `[[package]]`, so that no reader of all of TOML is needed.
enum CargoLock {
    /// Those that came from a registry or a repository; the workspace's own crates have no source and are not told.
    static func packages(_ bytes: [UInt8], path: String) -> [InstalledPackage] {
        var packages: [InstalledPackage] = []
        var fields: [String: String] = [:]
        var needs: [String] = []
        var isPackage = false
        var isList = false
        func finish() {
            defer { (fields, needs) = ([:], []) }
            guard isPackage, let name = fields["name"], let version = fields["version"], fields["source"] != nil, !name.isEmpty, !version.isEmpty else {
                return
            }
            var package = InstalledPackage(.rust, name: name, version: version, path: path)
            if let sum = fields["checksum"], sum.wholeMatch(of: /[0-9a-f]{64}/) != nil { package.checksums = ["sha256": sum] }
            // `name`, or `name version` where there are two of one name.
            package.dependencies = needs.map { [String($0.prefix { $0 != " " })] }
            packages.append(package)
        }
        for line in bytes.split(separator: 0x0A) {
            let text = String(decoding: line, as: UTF8.self).trimmed
            if text.hasPrefix("[") {
                finish()
                (isPackage, isList) = (text == "[[package]]", false)
            } else if isList {
                if text.hasPrefix("]") { isList = false } else { needs += quoted(text) }
            } else if let equals = text.firstIndex(of: "=") {
                let (key, value) = (text[..<equals].trimmed, text[text.index(after: equals)...].trimmed)
                if key == "dependencies" {
                    needs += quoted(value)
                    isList = !value.hasSuffix("]")
                } else {
                    fields[key] = quoted(value).first
                }
            }
        }
        finish()
        return packages
    }

    private static func quoted(_ text: String) -> [String] {
        text.split(separator: "\"", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}
