import Testing

@testable import Autoinstall

@Suite struct DiagnosisTraceTests {
    @Test("a program that no folder of PATH has is missed, one that the last has is not")
    func programs() {
        let trace = TraceRecord(
            strace: """
                100 execve("/usr/local/bin/jq", ["jq"], 0x7ffc /* 20 vars */) = -1 ENOENT (No such file or directory)
                100 execve("/usr/bin/jq", ["jq"], 0x7ffc /* 20 vars */) = -1 ENOENT (No such file or directory)
                101 execve("/usr/local/bin/make", ["make"], 0x7ffc /* 20 vars */) = -1 ENOENT (No such file or directory)
                101 execve("/usr/bin/make", ["make"], 0x7ffc /* 20 vars */) = 0
                [pid 102] newfstatat(AT_FDCWD, "/usr/bin/protoc", 0x7ffd, 0) = -1 ENOENT (No such file or directory)
                """)
        #expect(trace.missedPrograms == ["jq", "protoc"])
        #expect(trace.missedFiles == [])
    }

    @Test("a header counts by what was included, and only when no folder had it")
    func files() {
        let trace = TraceRecord(
            strace: """
                7 openat(AT_FDCWD, "/usr/local/include/openssl/ssl.h", O_RDONLY|O_NOCTTY) = -1 ENOENT (No such file or directory)
                7 openat(AT_FDCWD, "/usr/include/x86_64-linux-gnu/openssl/ssl.h", O_RDONLY|O_NOCTTY) = -1 ENOENT (No such file or directory)
                7 openat(AT_FDCWD, "/usr/include/openssl/ssl.h", O_RDONLY|O_NOCTTY) = -1 ENOENT (No such file or directory)
                7 openat(AT_FDCWD, "/usr/local/include/stdio.h", O_RDONLY|O_NOCTTY) = -1 ENOENT (No such file or directory)
                7 openat(AT_FDCWD, "/usr/include/stdio.h", O_RDONLY|O_NOCTTY) = 4
                8 openat(AT_FDCWD, "/lib/x86_64-linux-gnu/libpq.so.5", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
                8 openat(AT_FDCWD, "/usr/lib/libpq.so.5", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
                8 openat(AT_FDCWD, "/lib/libc.so.6", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
                8 openat(AT_FDCWD, "/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY|O_CLOEXEC) = 3
                """)
        #expect(trace.missedFiles == ["/usr/include/openssl/ssl.h", "/usr/lib/libpq.so.5"])
    }

    @Test("what every program looks for in vain is no lack")
    func noise() {
        let trace = TraceRecord(
            strace: """
                1 access("/etc/ld.so.preload", R_OK) = -1 ENOENT (No such file or directory)
                1 openat(AT_FDCWD, "/usr/lib/locale/C.UTF-8/LC_MESSAGES", O_RDONLY) = -1 ENOENT (No such file or directory)
                1 openat(AT_FDCWD, "/usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/libz.so.1", O_RDONLY) = -1 ENOENT (No such file or directory)
                1 openat(AT_FDCWD, "/root/.config/git/config", O_RDONLY) = -1 ENOENT (No such file or directory)
                1 stat("/workspace/node_modules", 0x7ffd) = -1 ENOENT (No such file or directory)
                1 openat(AT_FDCWD, "relative.h", O_RDONLY) = -1 ENOENT (No such file or directory)
                1 openat(AT_FDCWD, "/usr/include/secret.h", O_RDONLY) = -1 EACCES (Permission denied)
                1 nonsense
                1 openat(AT_FDCWD, "/usr/include/cut
                """)
        #expect(trace.missedFiles == [] && trace.missedPrograms == [])
    }

    @Test("a call that another process interrupts is put together again")
    func unfinished() {
        let trace = TraceRecord(
            strace: """
                5 execve("/usr/bin/jq", ["jq"], 0x7ffc <unfinished ...>
                6 execve("/usr/bin/sed", ["sed"], 0x7ffc <unfinished ...>
                5 <... execve resumed>)             = -1 ENOENT (No such file or directory)
                6 <... execve resumed>)             = 0
                """)
        #expect(trace.missedPrograms == ["jq"])
    }

    @Test("what the output names too is likely, the rest is only possible")
    func confidence() {
        let failure = Failure(
            command: "make", exitCode: 2, output: "psql failed\n", missedFiles: ["/usr/include/x86_64-linux-gnu/gmp.h", "/usr/lib/pkgconfig/fuse3.pc"],
            missedPrograms: ["psql", "xmlto"])
        let lacks = TraceDiagnoser().findings(in: failure)
        #expect(
            Set(lacks.map(\.told)) == [
                "command psql (likely)", "command xmlto (possible)", "header gmp.h (possible)", "pkg-config fuse3 (possible)",
            ])
    }
}
