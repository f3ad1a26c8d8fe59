import Testing

@testable import Autoinstall

@Suite struct PatternTests {
    @Test("patterns find what other engines find")
    func found() throws {
        func groups(_ pattern: String, _ text: String) throws -> [String?]? { try Pattern(pattern).firstMatch(text) }
        #expect(try groups(#"a(b+)c"#, "xxabbcx") == ["abbc", "bb"])
        #expect(try groups(#"^(\w+)\s*=\s*"([^"]*)""#, #"name = "shop""#) == [#"name = "shop""#, "name", "shop"])
        #expect(try groups(#"(a|ab)(c|bcd)(d*)"#, "abcd") == ["abcd", "a", "bcd", ""])
        #expect(try groups(#"a+?b??(c?)"#, "aabc") == ["a", ""])
        #expect(try groups(#"x{2,3}"#, "axxxxb") == ["xxx"])
        #expect(try groups(#"\bcat\b"#, "concat cat") == ["cat"])
        #expect(try groups(#"(?i)find_package\((\w+)"#, "FIND_PACKAGE(ZLIB REQUIRED)") == ["FIND_PACKAGE(ZLIB", "ZLIB"])
        #expect(try groups(#"é+"#, "caféé!") == ["éé"])
        #expect(try groups(#"(x)?y"#, "y") == ["y", nil])
        #expect(try groups(#"a$"#, "ab") == nil)
        #expect(try groups(#"[]a-c^]+"#, "x]b^d") == ["]b^"])
        #expect(try groups(#"a{b}"#, "a{b}") == ["a{b}"])
    }

    @Test(
        "what is no pattern is an error that says why", arguments: ["(", "a)", "[a", "*", "a**", "(?=x)", "a{5,2}", #"\q"#, "((((((((((a{99}){99}){99}){99}"])
    func refused(_ text: String) {
        #expect(throws: PatternProblem.self) { try Pattern(text) }
    }

    @Test("a pattern that keeps others busy for years ends at once")
    func linear() throws {
        let line = String(repeating: "a", count: 3000)
        #expect(try Pattern(#"^(a+)+$"#).firstMatch(line + "b") == nil)
        #expect(try Pattern(#"(a|aa|a*)*b"#).firstMatch(line) == nil)
        #expect(try Pattern(#".*.*.*.*.*x"#).firstMatch(line) == nil)
    }
}
