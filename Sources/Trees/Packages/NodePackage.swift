import Foundation

/// A package below a `node_modules`, as its `package.json` says.
///
/// Source: https://docs.npmjs.com/cli/configuring-npm/package-json
enum NodePackage {
    private struct Manifest: Decodable {
        var name: String?
        var version: String?
        var license: Text?
        var licenses: [Text]?
        var author: Person?
        var homepage: Text?
        var dependencies: [String: Text]?
    }
    /// Where old packages have an object in place of a text: what matters in it.
    private struct Text: Decodable {
        var value: String?

        private enum CodingKeys: String, CodingKey { case type }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {  // Or it is an object, or anything else: then nothing is known.
                value = text
            } else {
                value = try? decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .type)  // As above.
            }
        }
    }
    private struct Person: Decodable {
        var value: String?

        private enum CodingKeys: String, CodingKey { case name, email }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {  // Or it is an object, or anything else: then nothing is known.
                value = text
            } else if let fields = try? decoder.container(keyedBy: CodingKeys.self) {  // As above.
                let (name, email) = (try? fields.decode(String.self, forKey: .name), try? fields.decode(String.self, forKey: .email))  // As above.
                value = name.map { name in email.map { "\(name) <\($0)>" } ?? name } ?? email
            }
        }
    }

    static func package(_ bytes: [UInt8], path: String) -> InstalledPackage? {
        // A package.json that marks a folder as a module has neither; one that is no JSON tells of no package.
        guard let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(bytes)), let name = manifest.name, let version = manifest.version,
            !name.isEmpty, !version.isEmpty
        else { return nil }
        var package = InstalledPackage(.node, name: name, version: version, path: path)
        // `Name <mail> (url)`
        package.maintainer = manifest.author?.value.map { $0.prefix { $0 != "(" }.trimmed }.flatMap { $0.isEmpty ? nil : $0 }
        package.homepage = manifest.homepage?.value
        let licenses = [manifest.license?.value].compactMap { $0 } + (manifest.licenses ?? []).compactMap(\.value)
        package.licenses = licenses.filter { !$0.isEmpty && $0 != "UNLICENSED" && !$0.hasPrefix("SEE LICENSE") }.map { DeclaredLicense($0, .spdx) }
        package.dependencies = (manifest.dependencies ?? [:]).keys.sorted().map { [$0] }
        return package
    }
}
