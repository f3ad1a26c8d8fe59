import Foundation
import Linux
import Testing

@testable import Machines

@Suite("Users and id ranges")
struct UserLookupTests {
    private func root() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\npostgres:x:105:110:PG:/var/lib/postgresql:/bin/bash\n42:x:9:9::/odd:\n")
        try folder.write("etc/group", "root:x:0:\npostgres:x:110:\nssl-cert:x:109:postgres\naudio:x:29:games,postgres\n")
        return folder
    }

    @Test(
        "names and ids, with and without a group",
        arguments: [
            ("root", "root 0 0 [] /root /bin/bash"), ("postgres", "postgres 105 110 [109, 29] /var/lib/postgresql /bin/bash"),
            ("105", "postgres 105 110 [109, 29] /var/lib/postgresql /bin/bash"), ("42", "42 9 9 [] /odd /bin/sh"), ("4000", "- 4000 0 [] / /bin/sh"),
            ("postgres:audio", "postgres 105 29 [] /var/lib/postgresql /bin/bash"), ("7:8", "- 7 8 [] / /bin/sh"),
        ])
    func find(_ text: String, _ expected: String) throws {
        let folder = try root()
        let user = try UserLookup.find(text, in: RootedFolder(folder.path))
        #expect("\(user.name ?? "-") \(user.user) \(user.group) \(user.groups) \(user.home) \(user.shell)" == expected)
    }

    @Test("who is not there is told with who is")
    func missing() throws {
        let folder = try root()
        let error = #expect(throws: MachineError.self) { try UserLookup.find("postgras", in: RootedFolder(folder.path)) }
        #expect(error?.description == "the machine has no user `postgras`: the nearest are `postgres`; take one of its /etc/passwd, or a number")
        for text in ["", ":", "root:", ":root", "70000", "root:nobody"] {
            #expect(throws: MachineError.self, "\(text)") { try UserLookup.find(text, in: RootedFolder(folder.path)) }
        }
        let empty = try TemporaryFolder()
        defer { withExtendedLifetime(empty) {} }
        #expect(
            try UserLookup.find("0", in: RootedFolder(empty.path))
                == {
                    var user = MachineUser.root
                    user.name = nil
                    return user
                }())
    }

    @Test("each machine has host ids of its own, the same again until it gives them back")
    func ranges() throws {
        let folder = try TemporaryFolder()
        let first = try HostIDRanges.claim(machine: "a", home: folder.path)
        let second = try HostIDRanges.claim(machine: "b", home: folder.path)
        #expect(first >= HostIDRanges.first && first % 65536 == 0 && abs(Int64(first) - Int64(second)) >= 65536)
        #expect(try HostIDRanges.claim(machine: "a", home: folder.path) == first)
        try HostIDRanges.release(machine: "a", home: folder.path)
        #expect(try HostIDRanges.claim(machine: "c", home: folder.path) == first)
        #expect(try HostIDRanges.claim(machine: "a", home: folder.path) != second)
    }
}
