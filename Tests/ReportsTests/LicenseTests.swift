import Testing
import Trees

@testable import Reports

@Suite("Licences")
struct LicenseTests {
    @Test(
        "names that packages use become identifiers of SPDX's list",
        arguments: [
            ("GPL-2+", "GPL-2.0-or-later"), ("GPL-2", "GPL-2.0-only"), ("LGPL-2.1+", "LGPL-2.1-or-later"), ("Expat", "MIT"), ("BSD-3-clause", "BSD-3-Clause"),
            ("GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"), ("GPLv3+", "GPL-3.0-or-later"), ("AGPL-3", "AGPL-3.0-only"),
            ("BSL-1.0 and MIT", "BSL-1.0 AND MIT"), ("GPL-2.0+", "GPL-2.0-or-later"), ("public-domain", "LicenseRef-public-domain"), ("CC0", "CC0-1.0"),
            ("GPL-2+ with Classpath-exception-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0"),
        ] as [(String, String)])
    func debian(name: String, expected: String) { #expect(LicenseTerm(DeclaredLicense(name, .debian)).text == expected) }

    @Test(
        "expressions are read with their precedence; what is on no list is a reference of its own",
        arguments: [
            ("MIT OR (Apache-2.0 AND ISC)", "MIT OR (Apache-2.0 AND ISC)"), ("(mit or apache-2.0) and isc", "(MIT OR Apache-2.0) AND ISC"),
            ("MIT/Apache-2.0", "MIT OR Apache-2.0"), ("GPL-2.0", "GPL-2.0-only"), ("MIT AND MIT", "MIT"), ("MIT OR Private", "MIT OR LicenseRef-Private"),
            ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
        ] as [(String, String)])
    func spdx(text: String, expected: String) { #expect(LicenseTerm(DeclaredLicense(text, .spdx)).text == expected) }

    @Test("a name in free words is one name, unless all of its parts are known")
    func free() {
        #expect(LicenseTerm(DeclaredLicense("MIT License", .free)).text == "MIT")
        #expect(LicenseTerm(DeclaredLicense("BSD-3-Clause and MIT", .free)).text == "BSD-3-Clause AND MIT")
        #expect(LicenseTerm(DeclaredLicense("BSD", .free)).text == "LicenseRef-BSD")
        #expect(LicenseTerm(DeclaredLicense("Mine and yours", .free)).text.hasPrefix("LicenseRef-Mine-and-yours-"))
    }

    @Test("texts tell licences of one name apart, and what cannot be read is still one reference")
    func own() {
        let (one, other) = (OwnLicense(name: "custom", text: "a"), OwnLicense(name: "custom", text: "b"))
        #expect(one.reference != other.reference)
        #expect(OwnLicense(name: "custom", text: "").reference == "LicenseRef-custom")
        for text in ["(", "MIT OR", "and", "((MIT)", "MIT OR ) x", "ÄÖ .", ""] {
            let reference = LicenseTerm(DeclaredLicense(text, .spdx)).text
            #expect(reference.wholeMatch(of: /LicenseRef-[A-Za-z0-9.-]+/) != nil, "\(text): \(reference)")
        }
    }
}
