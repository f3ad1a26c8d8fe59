import Crypto
import Foundation

/// A DSSE envelope: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md
struct Envelope: Codable {
    struct Signature: Codable {
        var keyid: String
        /// Base64.
        var sig: String
    }
    static let mediaType = "application/vnd.dsse.envelope.v1+json"
    static let payloadType = "application/vnd.in-toto+json"

    /// Base64.
    var payload: String
    var payloadType = Envelope.payloadType
    var signatures: [Signature]

    init(signing statement: [UInt8], with key: Curve25519.Signing.PrivateKey) throws {
        let signature = try key.signature(for: Self.encoding(Self.payloadType, statement))
        payload = Data(statement).base64EncodedString()
        signatures = [Signature(keyid: KeyFile.id(key.publicKey), sig: signature.base64EncodedString())]
    }

    /// What is signed: the type and the bytes, with their lengths.
    private static func encoding(_ type: String, _ body: [UInt8]) -> Data {
        Data("DSSEv1 \(type.utf8.count) \(type) \(body.count) ".utf8) + Data(body)
    }

    /// The statement, if one of `keys` has signed it.
    func verified(by keys: [Curve25519.Signing.PublicKey]) -> (statement: [UInt8], key: String)? {
        guard let body = Data(base64Encoded: payload), payloadType == Self.payloadType else { return nil }
        let signed = Self.encoding(payloadType, Array(body))
        for signature in signatures {
            guard let bytes = Data(base64Encoded: signature.sig) else { continue }
            for key in keys where key.isValidSignature(bytes, for: signed) { return (Array(body), KeyFile.id(key)) }
        }
        return nil
    }
}
