import ChunkStore
import Foundation
import Images

extension ImageStore {
    /// What is attached by terrine.
    private static let signatureType = "application/vnd.terrine.signature.v1"
    private static let provenanceType = "application/vnd.terrine.provenance.v1"

    /// What a signature says.
    public struct Signed: Codable, Sendable {
        public var image: String
        /// The digest of the public key.
        public var key: String
        /// What the key's owner said of the image, by the statements' types.
        public var statements: [String]
    }

    /// Signs an image with a private key: that its owner vouches for it, and its provenance, if it has one.
    public func sign(_ image: Image, key path: String) throws -> Signed {
        let key = try KeyFile.privateKey(path)
        var statements = [try ImageConfig.canonical(Statement(image.digest, Vouching.type, Vouching(treeDigest: image.treeDigest)))]
        for attachment in try attachments(of: image.digest) where attachment.artifactType == Self.provenanceType && attachment.mediaType == Envelope.payloadType
        {
            statements.append(attachment.content)
        }
        for statement in statements {
            let envelope = try ImageConfig.canonical(Envelope(signing: statement, with: key))
            let isVouching = statement == statements[0]
            try attach(
                Attachment(
                    mediaType: Envelope.mediaType, artifactType: isVouching ? Self.signatureType : Self.provenanceType, content: envelope), to: image.digest)
        }
        return try Self.signed(image.digest, attachments(of: image.digest), by: [path])
    }

    /// - Throws: ``RemoteError`` `notFound` or `invalid` for a file that holds no key to sign with.
    public static func checkSigningKey(_ path: String) throws { _ = try KeyFile.privateKey(path) }

    /// - Parameter keys: paths of public keys, of which one must have signed.
    /// - Throws: ``RemoteError`` `unsigned` when none of them has.
    public func verifySignature(of image: Image, keys: [String]) throws -> Signed { try Self.signed(image.digest, attachments(of: image.digest), by: keys) }

    static func signed(_ image: Digest, _ attachments: [Attachment], by keys: [String]) throws -> Signed {
        let publicKeys = try keys.map(KeyFile.publicKey)
        var found: [String: Signed] = [:]
        var others: Set<String> = []
        for attachment in attachments where attachment.mediaType == Envelope.mediaType {
            // What cannot be read vouches for nothing.
            guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(attachment.content)) else { continue }
            guard let (statement, key) = envelope.verified(by: publicKeys) else {
                others.formUnion(envelope.signatures.map(\.keyid))
                continue
            }
            // Signed, and about something else, or nothing.
            guard let head = try? JSONDecoder().decode(StatementHead.self, from: Data(statement)), head.speaks(of: image) else { continue }
            found[key, default: Signed(image: image.description, key: key, statements: [])].statements.append(head.predicateType)
        }
        // Provenance alone says how it was made, not that it is good.
        if let vouched = found.values.first(where: { $0.statements.contains(Vouching.type) }) { return vouched }
        throw RemoteError(
            "unsigned", "the image \(image) is not signed by \(keys.joined(separator: " or "))",
            cause: others.isEmpty ? "it has no signature that holds" : "it is signed by \(others.sorted().joined(separator: ", "))",
            fix: "let the key's owner do `terrine sign IMAGE --key KEY` and push it again, or name the key that it was signed with")
    }

    // MARK: provenance

    public func hasProvenance(_ image: Image) throws -> Bool { try attachments(of: image.digest).contains { $0.artifactType == Self.provenanceType } }

    /// Keeps how an image was made.
    public func attach(_ provenance: Provenance, to image: Image) throws {
        let bytes = try ImageConfig.canonical(Statement(image.digest, Provenance.type, provenance))
        try attach(Attachment(mediaType: Envelope.payloadType, artifactType: Self.provenanceType, content: bytes), to: image.digest)
    }

    /// The statements about how an image was made, as JSON: those that `keys` have signed, or, without any, those that are there.
    ///
    /// - Throws: ``RemoteError`` `notFound` when there is none.
    public func provenance(of image: Image, keys: [String] = []) throws -> [String] {
        let publicKeys = try keys.map(KeyFile.publicKey)
        var found: [String] = []
        for attachment in try attachments(of: image.digest) where attachment.artifactType == Self.provenanceType {
            if attachment.mediaType == Envelope.mediaType, !keys.isEmpty {
                // What cannot be read was signed by nobody.
                let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(attachment.content))
                if let (statement, _) = envelope?.verified(by: publicKeys),
                    let head = try? JSONDecoder().decode(StatementHead.self, from: Data(statement)), head.speaks(of: image.digest)
                {
                    found.append(String(decoding: statement, as: UTF8.self))
                }
            } else if attachment.mediaType == Envelope.payloadType, keys.isEmpty {
                found.append(String(decoding: attachment.content, as: UTF8.self))
            }
        }
        if found.isEmpty {
            throw RemoteError(
                keys.isEmpty ? "notFound" : "unsigned",
                "nothing is known of how the image \(image.digest) was made" + (keys.isEmpty ? "" : " that \(keys.joined(separator: " or ")) has signed"),
                fix: keys.isEmpty ? "`terrine build` notes it for what it makes" : "`terrine sign` signs it too")
        }
        return found
    }
}
