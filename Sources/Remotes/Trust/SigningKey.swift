import Crypto
import Foundation

/// An ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` writes it (PKCS #8, RFC 8410), and `openssl pkey -pubout` its public half.
enum KeyFile {
    /// What comes before the 32 bytes of the key: the names of the algorithm, and the lengths.
    private static let privateHead: [UInt8] = [0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]
    private static let publicHead: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]

    static func privateKey(_ path: String) throws -> Curve25519.Signing.PrivateKey {
        let bytes = try read(path, "PRIVATE KEY", privateHead, "make one with `openssl genpkey -algorithm ed25519 -out \(path)`")
        return try Curve25519.Signing.PrivateKey(rawRepresentation: bytes)
    }

    /// Of a public key's file, or a private one's.
    static func publicKey(_ path: String) throws -> Curve25519.Signing.PublicKey {
        if let text = FileManager.default.contents(atPath: path), String(decoding: text, as: UTF8.self).contains("-----BEGIN PRIVATE KEY-----") {
            return try privateKey(path).publicKey
        }
        let bytes = try read(path, "PUBLIC KEY", publicHead, "get it from the private key with `openssl pkey -in KEY -pubout -out \(path)`")
        return try Curve25519.Signing.PublicKey(rawRepresentation: bytes)
    }

    private static func read(_ path: String, _ label: String, _ head: [UInt8], _ fix: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else { throw RemoteError("notFound", "the key \(path) cannot be read", fix: fix) }
        let text = String(decoding: data, as: UTF8.self)
        guard let start = text.range(of: "-----BEGIN \(label)-----"), let end = text.range(of: "-----END \(label)-----"), start.upperBound <= end.lowerBound,
            let der = Data(base64Encoded: String(text[start.upperBound..<end.lowerBound]), options: .ignoreUnknownCharacters)
        else { throw RemoteError("invalid", "\(path) holds no \(label.lowercased()) in PEM", fix: fix) }
        guard der.count == head.count + 32, Array(der.prefix(head.count)) == head else {
            throw RemoteError("invalid", "\(path) is no key of ed25519", cause: "its algorithm or its length is another", fix: fix)
        }
        return Array(der.suffix(32))
    }

    /// Tells keys apart: the digest of the public half.
    static func id(_ key: Curve25519.Signing.PublicKey) -> String {
        "sha256:" + SHA256.hash(data: key.rawRepresentation).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
