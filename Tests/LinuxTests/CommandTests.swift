import Glibc
import Testing

@testable import Linux

@Suite("Programs")
struct CommandTests {
    @Test("output, errors and exit code come back apart")
    func capture() throws {
        let result = try Command("sh", ["-c", "cat; echo err >&2; exit 3"]).capture(input: "in")
        #expect(result.output == "in")
        #expect(result.errors == "err\n")
        #expect(result.status == .exited(3))
    }

    @Test("a killed program says by which signal")
    func killed() throws {
        #expect(try Command("sh", ["-c", "kill -9 $$"]).run() == .signalled(9))
        #expect(ExitStatus.signalled(9).code == 137)
    }

    @Test("a child gets the descriptors that it is given, swapped ones too, and no other")
    func descriptors() throws {
        let a = try Descriptor("/dev/null", O_RDWR)
        let b = try Descriptor("/dev/zero", O_RDWR)
        // Counted without a pipeline, whose pipe the shell may still hold.
        let count = "n=0; for i in $(seq 0 255); do [ -e /proc/$$/fd/$i ] && n=$((n+1)); done; echo $n"
        var command = Command("sh", ["-c", "readlink /proc/$$/fd/\(a.raw) /proc/$$/fd/\(b.raw); \(count)"])
        command.descriptors = [a.raw: b.raw, b.raw: a.raw]
        let result = try command.capture()
        #expect(result.output.hasPrefix("/dev/zero\n/dev/null\n"))
        #expect(result.output.hasSuffix("5\n"))
    }

    @Test("a program that is not there is an error that names it")
    func missing() {
        #expect(throws: LinuxError("run", "terrine-no-such-program", code: ENOENT)) {
            try Command("terrine-no-such-program").run()
        }
    }

    @Test("a session of its own, a folder and an environment")
    func surroundings() throws {
        var command = Command("sh", ["-c", "pwd; echo $A; ps -o sid= -p $$ | tr -d ' '; echo $$"])
        command.environment = ["A=b", "PATH=/usr/bin:/bin"]
        command.workingFolder = "/usr"
        command.newSession = true
        let lines = try command.capture().output.split(separator: "\n")
        #expect(lines[0] == "/usr")
        #expect(lines[1] == "b")
        #expect(lines[2] == lines[3])
    }
}
