import Foundation
import Linux

/// The modules of a kernel that was never installed, so that nobody has written `modules.dep` for it.
struct KernelModules {
    /// Names as the kernel has them, with `_`.
    private let paths: [String: String]

    /// - Parameter folder: `/lib/modules/VERSION/kernel`.
    init(_ folder: String) {
        let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        let modules = files.filter { $0.hasSuffix(".ko") }.map { path in
            let name = (path.split(separator: "/").last ?? "").dropLast(3).replacingOccurrences(of: "-", with: "_")
            return (name, "\(folder)/\(path)")
        }
        paths = Dictionary(modules) { first, _ in first }
    }

    /// These and all that they need, in the order in which they are to be loaded. What is not there is in the kernel itself.
    func closure(of names: [String]) throws -> [(name: String, path: String)] {
        var result: [(name: String, path: String)] = []
        var seen: Set<String> = []
        func visit(_ name: String) throws {
            guard seen.insert(name).inserted, let path = paths[name] else { return }
            for needed in Self.needs(try readFile(path)) { try visit(needed) }
            result.append((name, path))
        }
        for name in names { try visit(name) }
        return result
    }

    /// From a module's own section `.modinfo`: `depends=one,two`.
    private static func needs(_ module: [UInt8]) -> [String] {
        guard let place = Data(module).range(of: Data("\0depends=".utf8)) else { return [] }
        let text = String(decoding: module[place.upperBound...].prefix { $0 != 0 }, as: UTF8.self)
        return text.split(separator: ",").map { $0.replacingOccurrences(of: "-", with: "_") }
    }
}
