/// A bill of materials as SPDX 2.3 JSON.
///
/// Source: https://spdx.github.io/spdx-spec/v2.3/, schemas/spdx-schema.json
public struct SPDXDocument: Encodable, Sendable {
    var spdxVersion = "SPDX-2.3"
    var dataLicense = "CC0-1.0"
    var SPDXID = "SPDXRef-DOCUMENT"
    var name: String
    var documentNamespace = ""
    var creationInfo: CreationInfo
    var documentDescribes = [Self.image]
    var packages: [Package]
    var relationships: [Relationship]
    var hasExtractedLicensingInfos: [ExtractedLicense]?

    private static let image = "SPDXRef-image"
    private static let none = "NOASSERTION"

    struct CreationInfo: Encodable {
        var created: String
        var creators: [String]
    }
    struct Package: Encodable {
        var SPDXID: String
        var name: String
        var versionInfo: String?
        var supplier: String?
        var downloadLocation = SPDXDocument.none
        var filesAnalyzed = false
        var checksums: [Checksum]?
        var homepage: String?
        var licenseConcluded = SPDXDocument.none
        var licenseDeclared = SPDXDocument.none
        var copyrightText = SPDXDocument.none
        var sourceInfo: String?
        var comment: String?
        var externalRefs: [ExternalReference]?
        var primaryPackagePurpose: String?
    }
    struct Checksum: Encodable {
        var algorithm: String
        var checksumValue: String
    }
    struct ExternalReference: Encodable {
        var referenceCategory = "PACKAGE-MANAGER"
        var referenceType = "purl"
        var referenceLocator: String
    }
    struct Relationship: Encodable {
        var spdxElementId: String
        var relationshipType: String
        var relatedSpdxElement: String
    }
    struct ExtractedLicense: Encodable {
        var licenseId: String
        var name: String
        var extractedText: String
    }

    public init(_ bill: BillOfMaterials) throws {
        let subject = bill.subject
        name = subject.name
        creationInfo = CreationInfo(created: bill.created, creators: ["Tool: terrine-\(bill.toolVersion)"])
        var image = Package(SPDXID: Self.image, name: subject.name, versionInfo: "sha256:" + subject.digest)
        image.checksums = [Checksum(algorithm: "SHA256", checksumValue: subject.digest)]
        image.primaryPackagePurpose = "CONTAINER"
        image.comment = subject.facts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
        packages = [image]
        relationships = [Relationship(spdxElementId: SPDXID, relationshipType: "DESCRIBES", relatedSpdxElement: Self.image)]
        if subject.hasBase, let layer = subject.layers.first {
            var base = Package(SPDXID: "SPDXRef-base", name: "base", versionInfo: "sha256:" + layer)
            base.checksums = [Checksum(algorithm: "SHA256", checksumValue: layer)]
            base.primaryPackagePurpose = "CONTAINER"
            base.sourceInfo = "the oldest layer of the image"
            packages.append(base)
            relationships.append(Relationship(spdxElementId: Self.image, relationshipType: "DESCENDANT_OF", relatedSpdxElement: "SPDXRef-base"))
        }
        if let system = bill.system {
            var package = Package(SPDXID: "SPDXRef-system", name: system.name, versionInfo: system.version)
            package.primaryPackagePurpose = "OPERATING-SYSTEM"
            packages.append(package)
            relationships.append(Relationship(spdxElementId: Self.image, relationshipType: "CONTAINS", relatedSpdxElement: "SPDXRef-system"))
        }
        packages += bill.components.map(Self.package)
        for component in bill.components {
            relationships.append(Relationship(spdxElementId: Self.image, relationshipType: "CONTAINS", relatedSpdxElement: Self.id(component.url)))
        }
        for component in bill.components {
            for needed in component.dependencies {
                relationships.append(
                    Relationship(spdxElementId: Self.id(component.url), relationshipType: "DEPENDS_ON", relatedSpdxElement: Self.id(needed)))
            }
        }
        let own = bill.components.reduce(into: Set<OwnLicense>()) { $0.formUnion($1.license?.own ?? []) }
        if !own.isEmpty {
            hasExtractedLicensingInfos = own.map { ExtractedLicense(licenseId: $0.reference, name: $0.name, extractedText: $0.extractedText) }
                .sorted { $0.licenseId < $1.licenseId }
        }
        // The namespace is unique because it is named by all the rest.
        documentNamespace = "https://spdx.org/spdxdocs/\(PackageURL.encoded(subject.name))-\(try BillOfMaterials.uuid(of: self))"
    }

    private static func package(_ component: BillOfMaterials.Component) -> Package {
        var package = Package(SPDXID: id(component.url), name: component.name, versionInfo: component.version)
        package.supplier = component.maintainer.map { "\($0.isTeam ? "Organization" : "Person"): \($0.name)" + ($0.mail.map { " (\($0))" } ?? "") }
        package.downloadLocation = component.address ?? none
        package.homepage = component.homepage
        package.licenseDeclared = component.license?.text ?? none
        package.sourceInfo = "found in " + component.paths.joined(separator: ", ")
        let sums = component.checksums.sorted { $0.key < $1.key }.map { Checksum(algorithm: $0.key.uppercased(), checksumValue: $0.value) }
        package.checksums = sums.isEmpty ? nil : sums
        package.externalRefs = [ExternalReference(referenceLocator: component.url)]
        package.primaryPackagePurpose = component.isCheckout ? "SOURCE" : "LIBRARY"
        return package
    }

    /// Letters, digits, `.` and `-` only; what is lost of the URL is told apart by its digest.
    private static func id(_ url: String) -> String {
        let name = url.dropFirst(4).prefix { $0 != "?" }.map { character -> Character in
            character.isASCII && (character.isLetter || character.isNumber || character == ".") ? character : "-"
        }
        return "SPDXRef-\(String(name).prefix(80))-\(OwnLicense.shortDigest(url))"
    }

    public var bytes: [UInt8] { get throws { try BillJSON.encode(self) } }
}
