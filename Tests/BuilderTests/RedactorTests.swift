import Foundation
import Glibc
import Testing

@testable import Builder

@Suite("Secrets in output")
struct RedactorTests {
    static let secret = "s3cr3t/Token+with=signs"

    private func redacted(_ text: String, piece: Int, secrets: [String] = [secret]) -> String {
        var redactor = Redactor(secrets.map { Array($0.utf8) })
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) { out += redactor.take(bytes[start..<min(start + piece, bytes.count)]) }
        return String(decoding: out + redactor.finish(), as: UTF8.self)
    }

    @Test("a secret is taken out whatever pieces the output comes in", arguments: [1, 2, 3, 7, 1000])
    func pieces(_ piece: Int) {
        #expect(redacted("a \(Self.secret) b\n\(Self.secret)\(Self.secret)\n", piece: piece) == "a *** b\n******\n")
        #expect(redacted("s3cr3t/Tok is no secret: s3cr3t/Token+with=sign", piece: piece) == "s3cr3t/Tok is no secret: s3cr3t/Token+with=sign")
        #expect(redacted("wrapped s3cr3t/To\nken+with=\r\nsigns.", piece: piece) == "wrapped ***\n\n.")
    }

    @Test("other codings of a secret are taken out too", arguments: [0, 1, 2, 3, 4, 5])
    func codings(_ lead: Int) {
        let text = String(repeating: "x", count: lead) + Self.secret + "tail"
        let coded = Data(text.utf8).base64EncodedString()
        let wrapped = coded.enumerated().map { $0.offset % 8 == 7 ? "\($0.element)\n" : "\($0.element)" }.joined()
        for shown in [coded, wrapped, coded.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")] {
            let out = redacted(shown, piece: 5)
            #expect(out.contains("***"))
            // What is left does not hold enough to be decoded to any of it.
            #expect(out.replacingOccurrences(of: "\n", with: "").replacingOccurrences(of: "***", with: "").count <= coded.count - Self.secret.count)
        }
        let hex = Self.secret.utf8.map { String(format: "%02x", $0) }.joined()
        #expect(redacted("\(hex) \(hex.uppercased())", piece: 3) == "*** ***")
        #expect(redacted("?t=s3cr3t%2FToken%2Bwith%3Dsigns&x", piece: 3) == "?t=***&x")
    }

    @Test("each line of a key of several lines is a secret")
    func lines() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7VJTU\n-----END KEY-----\n"
        #expect(redacted("> AASCBKcwggSjAgEAAoIBAQC7VJTU <", piece: 4, secrets: [key]) == "> *** <")
        #expect(redacted(key, piece: 9, secrets: [key]).contains("MIIE") == false)
    }

    @Test("lines of a command are shown and kept without secrets")
    func reader() throws {
        let reader = try OutputReader(secrets: [Array(Self.secret.utf8)]) { _ in }
        let text = Array("one s3cr3t/Tok".utf8) + Array("en+with=signs two\nlast s3cr3t/T".utf8)
        text.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: 14) {
                _ = write(reader.input.raw, bytes.baseAddress! + start, min(14, bytes.count - start))
                usleep(2000)
            }
        }
        reader.finish()
        #expect(reader.lastLines == ["one *** two", "last s3cr3t/T"])
    }
}
