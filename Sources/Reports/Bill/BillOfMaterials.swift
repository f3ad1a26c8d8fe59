import ChunkStore
import Foundation
import Trees

/// What an image is made of, ready to be written in any of the formats.
///
/// It is a function of the image and of nothing else: no clock, no host, no random number. Its time is that of `SOURCE_DATE_EPOCH` if that is set, else a
/// constant, the one that terrine's bases have.
public struct BillOfMaterials: Sendable {
    /// 2023-11-14T22:13:20Z, in seconds since 1970.
    public static let epoch = 1_700_000_000

    public struct Component: Sendable {
        /// Its package URL: unique in the bill.
        public var url: String
        public var name: String
        public var version: String
        public var maintainer: Contact?
        public var homepage: String?
        /// Where its source was fetched, `git+https://…@commit`.
        public var address: String?
        public var checksums: [String: String] = [:]
        /// Files of the image that tell of it.
        public var paths: [String]
        /// URLs of components.
        public var dependencies: [String] = []
        var license: LicenseTerm?
        public var isCheckout = false
    }

    public let subject: BillSubject
    public let system: SystemRelease?
    /// Sorted by URL.
    public let components: [Component]
    /// RFC 3339.
    public let created: String
    /// Of the program that writes it.
    public let toolVersion: String

    /// - Parameter sourceDate: the value of `SOURCE_DATE_EPOCH`, if there is one.
    /// - Throws: ``ReportError`` `invalid` for a date that is no number.
    public init(_ subject: BillSubject, _ inventory: PackageInventory, toolVersion: String, sourceDate: String? = nil) throws {
        (self.subject, system, self.toolVersion) = (subject, inventory.system, toolVersion)
        created = try Self.time(sourceDate)
        let links = DependencyLinks(inventory)
        var found: [String: Component] = [:]
        for package in inventory.packages {
            let url = PackageURL.of(package, system: inventory.system)
            let needs = links.dependencies(of: package)
            if found[url] != nil {
                found[url]?.paths.append("/" + package.path)
                found[url]?.dependencies += needs
                continue
            }
            var component = Component(url: url, name: package.name, version: package.version, paths: ["/" + package.path])
            component.maintainer = package.maintainer.flatMap { Contact($0) }
            component.homepage = package.homepage.flatMap(WebAddress.checked)
            component.checksums = package.checksums
            component.license = LicenseTerm.all(declared: package.licenses)
            component.dependencies = needs
            found[url] = component
        }
        for checkout in inventory.checkouts {
            let url = PackageURL.of(checkout)
            found[url, default: Component(url: url, name: checkout.name, version: checkout.commit, paths: [])].paths.append("/" + checkout.path)
            found[url]?.address = checkout.address
            found[url]?.isCheckout = true
        }
        components = found.values.map { component in
            var component = component
            component.paths = Set(component.paths).sorted()
            component.dependencies = Set(component.dependencies).subtracting([component.url]).sorted()
            return component
        }.sorted { $0.url < $1.url }
    }

    private static func time(_ sourceDate: String?) throws -> String {
        var seconds = epoch
        if let sourceDate, !sourceDate.isEmpty {
            guard let number = Int(sourceDate), (0..<253_402_300_800).contains(number) else {
                throw ReportError(
                    "invalid", "SOURCE_DATE_EPOCH is `\(sourceDate)`", cause: "it is a number of seconds since 1970", fix: "correct it, or unset it")
            }
            seconds = number
        }
        return Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }

    /// `urn:uuid:` by the bill's content: RFC 9562, version 8.
    static func uuid(of content: some Encodable) throws -> String {
        var bytes = Array(Digest.of(try BillJSON.encode(content)).bytes.prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        let hex = bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { hex[$0].joined() }.joined(separator: "-")
    }
}

/// The bytes of a document: keys sorted, indented for people.
enum BillJSON {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [0x0A]
    }
}
