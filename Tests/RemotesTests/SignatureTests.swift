import ChunkStore
import Foundation
import Images
import TestSupport
import Testing

@testable import Remotes

@Suite("Signatures and provenance", .serialized)
struct SignatureTests {
    private static let makeKeys =
        "for key in a b; do openssl genpkey -algorithm ed25519 -out $key.pem; openssl pkey -in $key.pem -pubout -out $key.pub; done; "
        + "openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2>&1"

    private static let provenance = Provenance(
        recipe: .init(name: "r", digest: ["sha256": String(repeating: "ab", count: 32)]), steps: [.init(name: "one", key: "k")],
        materials: [.init(name: "base x", digest: ["sha256": String(repeating: "cd", count: 32)])], builder: "terrine://host", version: "1",
        finished: Date(timeIntervalSince1970: 1_700_000_000))

    @Test("openssl finds the signature right, and so does nobody else's key")
    func openssl() throws {
        let scratch = try Scratch()
        try scratch.sh(Self.makeKeys)
        let store = try scratch.store("home")
        let image = try store.make(1..<3)
        let signed = try store.sign(image, key: scratch.path + "/a.pem")
        #expect(signed.image == image.digest.description && signed.statements == ["https://terrine.dev/vouching/v1"])
        // Twice is the same.
        #expect(try store.sign(image, key: scratch.path + "/a.pem").statements == signed.statements)
        #expect(try store.attachments(of: image.digest).count == 1)
        let attachment = try #require(store.attachments(of: image.digest).first)
        let envelope = try JSONDecoder().decode(Envelope.self, from: Data(attachment.content))
        let payload = try #require(Data(base64Encoded: envelope.payload))
        // As DSSE writes down what is signed.
        let text = "DSSEv1 28 application/vnd.in-toto+json \(payload.count) "
        try (Data(text.utf8) + payload).write(to: URL(fileURLWithPath: scratch.path + "/signed"))
        try #require(Data(base64Encoded: envelope.signatures[0].sig)).write(to: URL(fileURLWithPath: scratch.path + "/signature"))
        let verify = "openssl pkeyutl -verify -rawin -pubin -in signed -sigfile signature -inkey"
        #expect(try scratch.sh(verify + " a.pub").contains("Verified Successfully"))
        #expect(throws: RemoteError.self) { try scratch.sh(verify + " b.pub") }
    }

    @Test("a signature holds for its image alone, and only as it was made")
    func forged() throws {
        let scratch = try Scratch()
        try scratch.sh(Self.makeKeys)
        let store = try scratch.store("home")
        let (image, other) = (try store.make(1..<3), try store.make(4..<6))
        _ = try store.sign(image, key: scratch.path + "/a.pem")
        let keys = [scratch.path + "/a.pub"]
        #expect(try store.verifySignature(of: image, keys: keys).image == image.digest.description)
        let attachment = try #require(store.attachments(of: image.digest).first)
        // Laid beside another image.
        try store.attach(attachment, to: other.digest)
        let moved = #expect(throws: RemoteError.self) { try store.verifySignature(of: other, keys: keys) }
        #expect(moved?.code == "unsigned")
        // With another statement in it.
        var envelope = try JSONDecoder().decode(Envelope.self, from: Data(attachment.content))
        let statement = String(decoding: try #require(Data(base64Encoded: envelope.payload)), as: UTF8.self)
        envelope.payload = Data(statement.replacingOccurrences(of: image.digest.hex, with: other.digest.hex).utf8).base64EncodedString()
        let forged = Attachment(mediaType: attachment.mediaType, artifactType: attachment.artifactType, content: try ImageConfig.canonical(envelope))
        try store.attach(forged, to: other.digest)
        let error = #expect(throws: RemoteError.self) { try store.verifySignature(of: other, keys: keys) }
        #expect(error?.code == "unsigned" && error?.fix?.contains("terrine sign") == true)
        // Provenance that is signed says how it was made, not that it is good.
        try store.attach(Self.provenance, to: other)
        _ = try store.sign(other, key: scratch.path + "/b.pem")
        #expect(try store.provenance(of: other, keys: [scratch.path + "/b.pub"]).count == 1)
        #expect(throws: RemoteError.self) { try store.provenance(of: other, keys: keys) }
    }

    @Test("a key that cannot be used is told with what is wrong with it", arguments: [("none.pem", "notFound"), ("rsa.pem", "invalid"), ("a.pub", "invalid")])
    func keys(_ file: String, _ code: String) throws {
        let scratch = try Scratch()
        try scratch.sh(Self.makeKeys)
        let error = #expect(throws: RemoteError.self) { try ImageStore.checkSigningKey(scratch.path + "/" + file) }
        #expect(error?.code == code && error?.fix?.contains("openssl") == true)
    }

    /// Reads a statement strictly: what the formats do not know is an error.
    private static let validator = """
        import json, sys
        from google.protobuf import json_format, struct_pb2
        from in_toto_attestation.v1.statement import Statement
        from in_toto_attestation.v1 import statement_pb2
        from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
        text = sys.stdin.read()
        statement = json_format.Parse(text, statement_pb2.Statement())
        Statement.copy_from_pb(statement).validate()
        made = json_format.Parse(json.dumps(json.loads(text)["predicate"]), provenance_pb2.Provenance())
        assert made.build_definition.build_type and made.run_details.builder.id and made.run_details.metadata.finished_on.seconds == 1700000000
        assert made.build_definition.resolved_dependencies[0].digest["sha256"] == "cd" * 32
        print(statement.subject[0].digest["sha256"])
        """

    @Test("provenance is read by in-toto's own library", .enabled(if: PythonTools.met))
    func provenance() throws {
        let tools = try #require(PythonTools.programs)
        let scratch = try Scratch()
        let store = try scratch.store("home")
        let image = try store.make(1..<3)
        #expect(throws: RemoteError.self) { try store.provenance(of: image) }
        try store.attach(Self.provenance, to: image)
        let statement = try #require(store.provenance(of: image).first)
        try scratch.write("statement.json", statement)
        try scratch.write("validate.py", Self.validator)
        #expect(try scratch.sh("'\(tools)/python3' validate.py < statement.json") == image.digest.hex)
    }
}
