import Foundation
import Testing

@Suite("Machines", .serialized, .enabled(if: MachineNeeds.met))
struct MachineTests {
    @Test("run gives the command's output, errors, input and exit code, and leaves nothing")
    func run() throws {
        try Home.withImage { home in
            #expect(try home.terrine("run", "small:1", "--", "sh", "-c", "echo $((6*7))", expect: 0).output == "42\n")
            try home.terrine("run", "small:1", "--", "sh", "-c", "exit 37", expect: 37)
            let streams = try home.terrine("run", "small:1", "--", "sh", "-c", "cat; echo oops >&2", input: "hello", expect: 0)
            #expect(streams.output == "hello")
            #expect(streams.errors.contains("oops"))
            try home.terrine("run", "small:1", "--", "/etc/passwd", expect: 126)
            try home.terrine("run", "small:1", "--", "no-such-program", expect: 127)
            try home.terrine("run", "no-such-image", "--", "true", expect: 125)
            try home.expectNothingLeft()
        }
    }

    @Test("forks see what was there when they were made, and never each other's later writes")
    func forks() throws {
        struct Listing: Decodable {
            struct Machine: Decodable {
                let name: String
                let state: String
            }
            let machines: [Machine]
        }
        struct Checkpoint: Decodable {
            let id: String
            let image: String
            let digest: String
            let pauseMilliseconds: Double
            let durableMilliseconds: Double
            let dirtyBytes: Int64
        }
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "a", expect: 0)
            try home.terrine("exec", "a", "--", "sh", "-c", "echo hi > /root/x", expect: 0)
            let checkpoint: Checkpoint = try home.terrine("checkpoint", "a", "-t", "a:1", "--json", expect: 0).json()
            #expect(checkpoint.image == "a:1")
            #expect(checkpoint.dirtyBytes > 0)
            try home.terrine("fork", "a", "-n", "3", "--name", "f", expect: 0)
            let names = ["f-1", "f-2", "f-3"]
            let listing: Listing = try home.terrine("ps", "--json", expect: 0).json()
            #expect(Set(listing.machines.map(\.name)) == Set(["a"] + names))
            #expect(listing.machines.allSatisfy { $0.state == "running" })
            for name in names {
                #expect(try home.terrine("exec", name, "--", "cat", "/root/x", expect: 0).output == "hi\n")
                try home.terrine("exec", name, "--", "sh", "-c", "echo \(name) > /root/x; sync", expect: 0)
            }
            for name in names { #expect(try home.terrine("exec", name, "--", "cat", "/root/x", expect: 0).output == "\(name)\n") }
            #expect(try home.terrine("exec", "a", "--", "cat", "/root/x", expect: 0).output == "hi\n")
            #expect(try home.terrine("run", "a:1", "--", "cat", "/root/x", expect: 0).output == "hi\n")
            try home.terrine("rm", "a", "f-1", "f-2", "f-3", expect: 0)
            try home.expectNothingLeft()
        }
    }

    @Test("a checkpoint of a machine that wrote nothing is the image that it started from")
    func nothingWritten() throws {
        struct Object: Decodable { let digest: String }
        try Home.withImage { home in
            let image = try home.terrine("inspect", "small:1", "--json", expect: 0).json(Object.self).digest
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            #expect(try home.terrine("checkpoint", "m", "-t", "m:1", "--json", expect: 0).json(Object.self).digest == image)
            try home.terrine("exec", "m", "--", "ls", "/", expect: 0)
            #expect(try home.terrine("checkpoint", "m", "-t", "m:2", "--json", expect: 0).json(Object.self).digest == image)
            try home.terrine("exec", "m", "--", "touch", "/x", expect: 0)
            #expect(try home.terrine("checkpoint", "m", "-t", "m:3", "--json", expect: 0).json(Object.self).digest != image)
            try home.terrine("rm", "m", expect: 0)
        }
    }

    @Test("a machine goes back in place, and hibernates and goes on with its files")
    func rollbackAndHibernate() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            try home.terrine("exec", "m", "--", "sh", "-c", "echo one > /x", expect: 0)
            try home.terrine("checkpoint", "m", "-t", "m:one", expect: 0)
            try home.terrine("exec", "m", "--", "sh", "-c", "echo two > /x", expect: 0)
            try home.terrine("hibernate", "m", expect: 0)
            try home.terrine("resume", "m", expect: 0)
            #expect(try home.terrine("exec", "m", "--", "cat", "/x", expect: 0).output == "two\n")
            try home.terrine("rollback", "m", "--to", "m:one", expect: 0)
            #expect(try home.terrine("exec", "m", "--", "cat", "/x", expect: 0).output == "one\n")
            try home.terrine("rm", "m", expect: 0)
        }
    }

    @Test("a killed supervisor is replaced under a running machine, which loses nothing")
    func killedSupervisor() throws {
        struct Listing: Decodable {
            struct Machine: Decodable { let supervisorPid: Int32? }
            let machines: [Machine]
        }
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            for round in 0..<3 {
                let listing: Listing = try home.terrine("ps", "--json", expect: 0).json()
                let pid = try #require(listing.machines.first?.supervisorPid)
                let writer = "i=0; while [ $i -lt 200 ]; do echo \(round) $i; i=$((i+1)); done > /log.\(round); sync"
                kill(pid, SIGKILL)
                try home.terrine("exec", "m", "--", "sh", "-c", writer, expect: 0)
            }
            let count = try home.terrine("exec", "m", "--", "sh", "-c", "cat /log.0 /log.1 /log.2 | wc -l", expect: 0).output
            #expect(count.trimmingCharacters(in: .whitespacesAndNewlines) == "600")
            try home.terrine("rm", "m", expect: 0)
        }
    }

    @Test("files go in and out of a machine")
    func copy() throws {
        try Home.withImage { home in
            try home.write("in/deep/file", "contents\n")
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            try home.terrine("cp", home.path + "/in", "m:/root/in", expect: 0)
            #expect(try home.terrine("exec", "m", "--", "cat", "/root/in/deep/file", expect: 0).output == "contents\n")
            try home.terrine("exec", "m", "--", "sh", "-c", "echo more >> /root/in/deep/file", expect: 0)
            try home.terrine("cp", "m:/root/in/deep/file", home.path + "/out", expect: 0)
            #expect(try String(contentsOfFile: home.path + "/out", encoding: .utf8) == "contents\nmore\n")
            try home.terrine("rm", "m", expect: 0)
        }
    }
}
