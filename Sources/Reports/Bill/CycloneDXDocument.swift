/// A bill of materials as CycloneDX 1.5 JSON.
///
/// Source: https://cyclonedx.org/docs/1.5/json/
public struct CycloneDXDocument: Encodable, Sendable {
    var schema = "http://cyclonedx.org/schema/bom-1.5.schema.json"
    var bomFormat = "CycloneDX"
    var specVersion = "1.5"
    var serialNumber: String?
    var version = 1
    var metadata: Metadata
    var components: [Component]
    var dependencies: [Dependency]

    enum CodingKeys: String, CodingKey {
        case schema = "$schema"
        case bomFormat, specVersion, serialNumber, version, metadata, components, dependencies
    }

    struct Metadata: Encodable {
        var timestamp: String
        var tools: Tools
        var component: Component
    }
    struct Tools: Encodable { var components: [Component] }
    struct Component: Encodable, Sendable {
        var type: String
        var reference: String?
        var name: String
        var version: String?
        var purl: String?
        var supplier: Supplier?
        var hashes: [Hash]?
        var licenses: [License]?
        var externalReferences: [ExternalReference]?
        var evidence: Evidence?
        var pedigree: Pedigree?
        var properties: [Property]?

        init(_ type: String, _ name: String, version: String?, reference: String? = nil) {
            (self.type, self.name, self.version, self.reference) = (type, name, version, reference)
        }

        enum CodingKeys: String, CodingKey {
            case reference = "bom-ref"
            case type, name, version, purl, supplier, hashes, licenses, externalReferences, evidence, pedigree, properties
        }
    }
    struct Supplier: Encodable {
        var name: String
        var contact: [Mail]?
    }
    struct Mail: Encodable { var email: String }
    struct Hash: Encodable {
        var alg: String
        var content: String
    }
    /// One identifier, or one expression.
    struct License: Encodable {
        var license: Named?
        var expression: String?
        struct Named: Encodable { var id: String }
    }
    struct ExternalReference: Encodable {
        var type: String
        var url: String
    }
    struct Evidence: Encodable {
        var occurrences: [Occurrence]
        struct Occurrence: Encodable { var location: String }
    }
    struct Pedigree: Encodable, Sendable { var ancestors: [Component] }
    struct Property: Encodable {
        var name: String
        var value: String
    }
    struct Dependency: Encodable {
        var ref: String
        var dependsOn: [String]?
    }

    public init(_ bill: BillOfMaterials) throws {
        let subject = bill.subject
        let reference = "image-" + subject.digest
        var image = Component("container", subject.name, version: "sha256:" + subject.digest, reference: reference)
        image.hashes = [Hash(alg: "SHA-256", content: subject.digest)]
        image.properties = subject.facts.sorted { $0.key < $1.key }.map { Property(name: "dev.terrine:" + $0.key, value: $0.value) }
        if subject.hasBase, let layer = subject.layers.first {
            var base = Component("container", "base", version: "sha256:" + layer)
            base.hashes = [Hash(alg: "SHA-256", content: layer)]
            image.pedigree = Pedigree(ancestors: [base])
        }
        metadata = Metadata(
            timestamp: bill.created, tools: Tools(components: [Component("application", "terrine", version: bill.toolVersion)]), component: image)
        components = bill.components.map(Self.component)
        var parts = bill.components.map(\.url)
        if let system = bill.system {
            components.insert(Component("operating-system", system.id, version: system.version, reference: "system"), at: 0)
            parts.insert("system", at: 0)
        }
        dependencies = [Dependency(ref: reference, dependsOn: parts.isEmpty ? nil : parts)]
        dependencies += bill.components.map { Dependency(ref: $0.url, dependsOn: $0.dependencies.isEmpty ? nil : $0.dependencies) }
        serialNumber = "urn:uuid:" + (try BillOfMaterials.uuid(of: self))
    }

    private static func component(_ part: BillOfMaterials.Component) -> Component {
        var component = Component(part.isCheckout ? "application" : "library", part.name, version: part.version, reference: part.url)
        component.purl = part.url
        component.supplier = part.maintainer.map { Supplier(name: $0.name, contact: $0.mail.map { [Mail(email: $0)] }) }
        let hashes = part.checksums.sorted { $0.key < $1.key }.map { Hash(alg: $0.key.uppercased().replacing("SHA", with: "SHA-"), content: $0.value) }
        component.hashes = hashes.isEmpty ? nil : hashes
        switch part.license {
        case nil: break
        case .listed(let id): component.licenses = [License(license: License.Named(id: id))]
        case .some(let term): component.licenses = [License(expression: term.text)]
        }
        var links = part.homepage.map { [ExternalReference(type: "website", url: $0)] } ?? []
        if let address = part.address { links.append(ExternalReference(type: "vcs", url: address)) }
        component.externalReferences = links.isEmpty ? nil : links
        component.evidence = Evidence(occurrences: part.paths.map { .init(location: $0) })
        return component
    }

    public var bytes: [UInt8] { get throws { try BillJSON.encode(self) } }
}
