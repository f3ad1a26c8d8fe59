import Testing

@testable import Autoinstall

@Suite struct VersionTests {
    @Test(
        "constraints of every ecosystem's kind",
        arguments: [
            (">=3.9", "3.11", true), (">=3.12", "3.11", false), (">=3.7,<3.10", "3.11", false), ("~=3.8", "3.11", true), ("~=3.8.1", "3.9", false),
            ("^3.10", "3.11", true),
            ("^3.10", "4.0", false), ("~> 3.0", "3.3", true), ("~> 3.1.2", "3.1", true), ("~> 3.1.2", "3.3", false), ("3.11.4", "3.11", true),
            ("3.11", "3.13", false),
            ("3", "3.11", true), ("18.x", "18.20", true), (">= 16", "18.20", true), ("^18 || ^20", "20.19", true), ("18 - 20", "18.20", true),
            ("^8.1|^8.2", "8.4", true),
            ("!=3.11", "3.11", false), ("!=3.11.2", "3.11", true), (">3.10", "3.11", true), ("<=3.9", "3.9", true), ("[17,21)", "17", true),
            ("[17,21)", "21", false), ("(,3.0]", "2.7", true),
            ("^0.3", "0.4", false), ("==3.*", "3.11", true), (">=3.9.2", "3.9", true), ("<3.12.1", "3.12", true), ("=> 2.7", "3.1", true),
        ])
    func admits(_ constraint: String, _ version: String, _ expected: Bool) throws {
        #expect(try #require(VersionConstraint(constraint)).admits(try #require(Version(version))) == expected)
    }

    @Test("a bare version is this one, or where that is what it means, at least this one")
    func bare() throws {
        #expect(VersionConstraint("1.19", bare: .minimum)?.admits(Version([1, 24])) == true && VersionConstraint("1.19")?.admits(Version([1, 24])) == false)
        #expect(VersionConstraint("latest") == nil && VersionConstraint("") == nil && Version("abc") == nil && Version("v20.1")?.parts == [20, 1])
    }
}
