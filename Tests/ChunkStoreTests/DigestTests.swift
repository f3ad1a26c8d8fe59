import Foundation
import Testing

@testable import ChunkStore

@Suite struct DigestTests {
    /// FIPS 180-2, appendix B.1.
    private let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test func knownDigest() throws {
        let digest = Digest.of(Array("abc".utf8))
        #expect(digest.hex == abc && digest.description == "sha256:" + abc)
        #expect(Digest(abc) == digest && Digest("sha256:" + abc) == digest && Digest(bytes: digest.bytes) == digest)
        #expect(try JSONDecoder().decode([Digest].self, from: JSONEncoder().encode([digest])) == [digest])
    }

    @Test(arguments: [
        "", "sha256:", "abc", "sha512:" + String(repeating: "0", count: 64), String(repeating: "g", count: 64), String(repeating: "A", count: 64),
    ])
    func whatIsNone(_ text: String) { #expect(Digest(text) == nil) }

    @Test func orderIsThatOfTheBytes() throws {
        let low = try #require(Digest(String(repeating: "0", count: 63) + "1"))
        let high = try #require(Digest("1" + String(repeating: "0", count: 63)))
        #expect(low < high && !(high < low))
    }
}
