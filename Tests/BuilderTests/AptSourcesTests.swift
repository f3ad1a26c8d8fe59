import Testing

@testable import Builder

@Suite("The host's package sources")
struct AptSourcesTests {
    @Test("both formats are read, and only the suite's own sources are used")
    func formats() throws {
        let folder = try TestFolder()
        try folder.write(
            "sources.list",
            """
            # deb http://commented.example/debian bookworm main
            deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian bookworm main contrib # ours
            deb-src http://mirror.example/debian bookworm main
            """)
        try folder.write(
            "sources.list.d/security.sources",
            """
            Types: deb deb-src
            # a comment
            URIs: http://mirror.example/security
            Suites: bookworm-security
            Components: main
            Signed-By: /usr/share/keyrings/b.gpg

            Types: deb
            URIs: http://other.example/repo
            Suites: nodistro
            Components: main

            Types: deb
            Enabled: no
            URIs: http://off.example/debian
            Suites: bookworm
            Components: main
            """)
        #expect(
            AptSources.host(folder.path).lines(suite: "bookworm") == [
                "deb [signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian bookworm main",
                "deb [signed-by=/usr/share/keyrings/b.gpg] http://mirror.example/security bookworm-security main",
            ])
        #expect(AptSources.host(folder.path).lines(suite: "trixie") == [])
    }
}
