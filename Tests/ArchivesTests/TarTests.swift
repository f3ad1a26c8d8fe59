import Foundation
import Testing
import Trees

@testable import Archives

@Suite("Tar archives")
struct TarTests {
    /// Everything that a root file system has, made on this host by its own programs.
    private static let world = """
        mkdir -p world/usr/bin world/etc world/empty
        chmod 0711 world; chmod 2775 world/etc
        printf hello > world/etc/file
        chown 1234:5678 world/etc/file
        chmod 4755 world/etc/file
        ln world/etc/file world/usr/bin/again
        ln -s ../etc/file world/usr/bin/link
        ln -s /nowhere/$(printf 'x%.0s' {1..150}) world/usr/bin/long-link
        deep=world/usr; for i in $(seq 12); do deep=$deep/a-folder-with-a-rather-long-name-$i; done; mkdir -p $deep
        printf deep > "$deep/$(printf 'n%.0s' {1..200})"
        truncate -s 3M world/holes; printf middle | dd of=world/holes bs=1 seek=1048576 conv=notrunc status=none
        truncate -s 1G world/nothing; printf end >> world/nothing
        truncate -s 65536 world/only-a-hole
        mkfifo world/fifo
        touch -d '1969-12-31 23:59:58.25 UTC' world/before
        touch -d '2026-01-02 03:04:05.678901234 UTC' world/after
        printf 'caf\\351' > "world/$(printf 'caf\\351')"
        python3 - <<'P'
        import os
        os.setxattr('world/etc/file', 'user.note', b'a=b\\n\\0\\xff')
        os.setxattr('world/etc/file', 'user.empty', b'')
        P
        """
    private static let devices = """
        mknod world/null c 1 3; mknod world/disk b 259 1048575
        python3 -c "import os; os.setxattr('world/etc/file', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))"
        """

    private static var makeWorld: String {
        geteuid() == 0 ? world + "\n" + devices : world.replacingOccurrences(of: "chown 1234:5678 world/etc/file", with: "")
    }

    @Test(
        "what GNU tar writes is read with all metadata, in each of its formats",
        arguments: [
            "--format=pax", "--format=gnu --sparse", "--format=pax --sparse --sparse-version=0.0", "--format=pax --sparse --sparse-version=0.1",
            "--format=pax --sparse --sparse-version=1.0",
        ])
    func formats(options: String) throws {
        try withFolder { folder in
            try shell(Self.makeWorld, in: folder)
            // The format of before has no room for parts of seconds and attributes.
            let isPax = options.contains("pax")
            let xattrs = isPax ? "--xattrs '--xattrs-include=*'" : ""
            try shell("tar --numeric-owner \(xattrs) \(options) -C world -cf made.tar .", in: folder)
            let made = try read(folder + "/made.tar")
            let file = try #require(made.node(at: "etc/file"))
            #expect(try file.content?.bytes() == Array("hello".utf8))
            #expect(file.mode == 0o4755)
            #expect(made.node(at: "usr/bin/again") === file)
            #expect(made.root.mode == 0o711)
            #expect(made.node(at: "etc")?.mode == 0o2775)
            if isPax {
                #expect(file.attributes["user.note"] == Array("a=b\n\0".utf8) + [0xff])
                #expect(file.attributes["user.empty"] == [])
                #expect(made.node(at: "before")?.modified == FileTime(seconds: -2, nanoseconds: 250_000_000))
                #expect(made.node(at: "after")?.modified == FileTime(seconds: 1_767_323_045, nanoseconds: 678_901_234))
            }
            guard case .symlink(let target)? = made.node(at: "usr/bin/long-link")?.kind else { throw ArchiveError("test", "no link") }
            #expect(target == ByteString("/nowhere/" + String(repeating: "x", count: 150)))
            #expect(made.node(at: ByteString(Array("caf".utf8) + [0xe9])) != nil)
            let holes = try #require(made.node(at: "holes")?.content)
            #expect(holes.size == 3 << 20)
            var part = [UInt8](repeating: 1, count: 16)
            try part.withUnsafeMutableBytes { try holes.read(into: $0, at: (1 << 20) - 5) }
            #expect(part == [0, 0, 0, 0, 0] + Array("middle".utf8) + [0, 0, 0, 0, 0])
            if options.contains("sparse") {
                #expect(try holes.dataRanges().reduce(0) { $0 + $1.count } < 1 << 20)
                #expect(try made.node(at: "nothing")?.content?.dataRanges().reduce(0) { $0 + $1.count } ?? 0 < 1 << 20)
            }
            #expect(made.node(at: "nothing")?.content?.size == 1_073_741_827)
            #expect(made.node(at: "only-a-hole")?.content?.size == 65536)
            if geteuid() == 0 {
                #expect((file.user, file.group) == (1234, 5678))
                guard case .blockDevice(let number)? = made.node(at: "disk")?.kind else { throw ArchiveError("test", "no device") }
                #expect(number == DeviceNumber(major: 259, minor: 1_048_575))
                if isPax { #expect(file.attributes["security.capability"]?.count == 20) }
            }
        }
    }

    @Test("what is written is read again the same, and the same tree gives the same bytes")
    func roundTrip() throws {
        try withFolder { folder in
            try shell(
                Self.makeWorld + "\nrm world/nothing\ntar --numeric-owner --xattrs '--xattrs-include=*' --format=pax --sparse -C world -cf made.tar .",
                in: folder)
            let made = try read(folder + "/made.tar")
            let bytes = try written(made)
            let again = try tree(bytes)
            #expect(try describe(again) == describe(made))
            #expect(try written(again) == bytes)
        }
    }

    @Test("GNU tar unpacks what is written, and finds no difference to where it came from", .enabled(if: geteuid() == 0))
    func unpacked() throws {
        try withFolder { folder in
            try shell(Self.makeWorld + "\ntar --numeric-owner --xattrs '--xattrs-include=*' --format=pax --sparse -C world -cf made.tar .", in: folder)
            let file = try UnnamedFiles(folder: folder).make()
            var writer = TarWriter(FileSink(file))
            try writer.write(read(folder + "/made.tar"))
            try FolderWriter.write(
                FileTree(root: FileNode(.folder(FileFolder(["ours.tar": FileNode(.file(TarContent(FileSpan(file))), mode: 0o644)])), mode: 0o755)),
                to: folder + "/out")
            try shell(
                """
                tar --compare --numeric-owner --xattrs '--xattrs-include=*' -C world -f out/ours.tar
                mkdir again; tar --numeric-owner --xattrs '--xattrs-include=*' -C again -xf out/ours.tar
                [ "$(stat -c %h again/etc/file)" = 2 ]; [ "$(stat -c %b again/nothing)" -lt 100 ]
                tar --numeric-owner --xattrs '--xattrs-include=*' --format=pax --sparse --sort=name -C again -cf again.tar .
                """, in: folder)
            #expect(try describe(read(folder + "/again.tar")) == describe(read(folder + "/made.tar")))
        }
    }

    @Test("gzip, zstd and xz are told by what they are, in one piece and in several", arguments: ["gzip", "zstd", "xz", "gzip --best", "zstd --long=27"])
    func compressed(program: String) throws {
        try withFolder { folder in
            try shell(
                """
                mkdir world; seq 200000 > world/numbers
                tar -C world -cf made.tar .
                \(program) -c < made.tar > whole
                { head -c 100000 made.tar | \(program) -c; tail -c +100001 made.tar | \(program) -c; } > pieces
                head -c 20000 whole > cut
                """, in: folder)
            let expected = try describe(read(folder + "/made.tar"))
            #expect(try describe(read(folder + "/whole")) == expected)
            #expect(try describe(read(folder + "/pieces")) == expected)
            let error = #expect(throws: ArchiveError.self) { try read(folder + "/cut") }
            #expect(error?.code == "damaged")
        }
    }

    @Test("what is compressed here is decompressed by the usual programs, and is the same each time", arguments: ["gzip", "zstd"])
    func compresses(program: String) throws {
        try withFolder { folder in
            var results: [[UInt8]] = []
            let plain = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7 ^ $0 >> 11) }
            for _ in 0..<2 {
                let file = try UnnamedFiles(folder: folder).make()
                let sink: any ByteSink = program == "gzip" ? try GzipSink(FileSink(file)) : try ZstdSink(FileSink(file))
                for start in stride(from: 0, to: plain.count, by: 77_777) { try sink.write(Array(plain[start..<min(start + 77_777, plain.count)])) }
                try sink.finish()
                let all = try FileSpan(file)
                results.append(try all.bytes(at: 0, Int(all.size)))
            }
            #expect(results[0] == results[1])
            try Data(results[0]).write(to: URL(fileURLWithPath: folder + "/made"))
            try Data(plain).write(to: URL(fileURLWithPath: folder + "/plain"))
            try shell("\(program) -dc < made | cmp - plain", in: folder)
        }
    }

    @Test("numbers that octal digits cannot hold are read")
    func largeNumbers() throws {
        var size = RawTar.entry("large", size: String(repeating: "0", count: 11))
        // Base 256: 3 GiB of user id.
        size.replaceSubrange(108..<116, with: [0x80, 0, 0, 0, 0xc0, 0, 0, 0])
        size.replaceSubrange(136..<148, with: [UInt8](repeating: 0xff, count: 12))
        size.replaceSubrange(148..<156, with: [UInt8](repeating: 32, count: 8))
        let sum = String(TarHeader.sum(size), radix: 8)
        size.replaceSubrange(148..<(148 + sum.utf8.count), with: Array(sum.utf8))
        let node = try #require(try tree(size + RawTar.end).node(at: "large"))
        #expect(node.user == 3 << 30)
        #expect(node.modified.seconds == -1)
        let far = FileTree(root: FileNode(.folder(FileFolder(["far": FileNode(.fifo, mode: 0o600, user: 4_000_000_000, group: 3_000_000)])), mode: 0o755))
        #expect(try describe(tree(written(far))) == describe(far))
    }
}
