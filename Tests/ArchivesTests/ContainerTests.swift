import Foundation
import Testing
import Trees

@testable import Archives

@Suite("OCI image layouts and docker archives")
struct ContainerTests {
    static func small() throws -> FileTree {
        try tree(
            joined(
                RawTar.entry("./", "5", mode: "0000755"),
                RawTar.entry("etc/", "5", mode: "0000755"),
                RawTar.entry("etc/name", data: Array("small\n".utf8)),
                RawTar.entry("etc/again", "1", link: "etc/name"),
                RawTar.entry("bin", "2", link: "usr/bin", mode: "0000777"),
                RawTar.pax([("SCHILY.xattr.user.note", "kept")]),
                RawTar.entry("noted", mode: "0004711", uid: "0001750"),
                RawTar.end))
    }

    static var config: ContainerConfig {
        var config = ContainerConfig()
        config.architecture = ContainerConfig.thisArchitecture
        config.environment = ["PATH=/bin", "KEY=a=b"]
        (config.entrypoint, config.command) = (["/bin/init"], ["--fast"])
        (config.workingFolder, config.user) = ("/etc", "1000:1000")
        config.exposedPorts = ["8080/tcp"]
        config.labels = ["org.example": "yes"]
        return config
    }

    /// Writes both forms into `folder`: `layout`, `layout.tar` and `docker.tar`.
    static func write(in folder: String) throws {
        let writer = ContainerWriter(files: UnnamedFiles(folder: folder))
        let layout = try writer.oci(small(), config, reference: "small:1").tree
        try FolderWriter.write(layout, to: folder + "/layout")
        for (name, tree) in [("layout.tar", layout), ("docker.tar", try writer.docker(small(), config, tag: "small:1").tree)] {
            try Data(written(tree)).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
    }

    private func expectSame(_ path: String, _ format: ArchiveReader.Format) throws {
        let result = try ArchiveReader(path, files: UnnamedFiles(folder: NSTemporaryDirectory())).read()
        #expect(result.format == format)
        guard case .tree(let tree, let config?) = result.content else { throw ArchiveError("test", "no image") }
        #expect(try describe(tree) == describe(Self.small()))
        #expect(config == Self.config)
    }

    @Test("what is written is read again the same: a layout, a layout in an archive, docker's archive")
    func roundTrip() throws {
        try withFolder { folder in
            try Self.write(in: folder)
            try expectSame(folder + "/layout", .oci)
            try expectSame(folder + "/layout.tar", .oci)
            try expectSame(folder + "/docker.tar", .docker)
        }
    }

    @Test("skopeo copies from them and to them, and nothing changes on the way")
    func skopeo() throws {
        try withFolder { folder in
            try Self.write(in: folder)
            try shell(
                """
                skopeo() { command skopeo --insecure-policy "$@" >&2; }
                skopeo copy oci:layout docker-archive:from-layout.tar:small:1
                skopeo copy docker-archive:docker.tar oci:from-docker:small:1
                skopeo copy oci-archive:layout.tar dir:plain
                skopeo copy oci:layout oci-archive:zstd.tar --dest-compress-format zstd --dest-force-compress-format || true
                """, in: folder)
            try expectSame(folder + "/from-layout.tar", .docker)
            try expectSame(folder + "/from-docker", .oci)
        }
    }

    @Test("layers of umoci, with whiteouts and opaque folders, are the tree that umoci unpacks", .enabled(if: geteuid() == 0))
    func umoci() throws {
        try withFolder { folder in
            try Self.write(in: folder)
            try shell(
                """
                umoci unpack --image layout:small:1 one
                mkdir one/rootfs/d one/rootfs/gone; echo 1 > one/rootfs/d/one; echo 2 > one/rootfs/gone/two
                setfattr -n user.more -v 1 one/rootfs/d/one 2> /dev/null || python3 -c "import os; os.setxattr('one/rootfs/d/one', 'user.more', b'1')"
                umoci repack --image layout:small:2 one
                umoci unpack --image layout:small:2 two
                rm -r two/rootfs/gone two/rootfs/d two/rootfs/etc/again; mkdir two/rootfs/d; echo 3 > two/rootfs/d/three; ln two/rootfs/d/three two/rootfs/same
                umoci repack --image layout:small:3 two
                umoci unpack --image layout:small:3 three
                tar --numeric-owner --xattrs '--xattrs-include=user.*' --format=pax --sort=name -C three/rootfs -cf three.tar .
                """, in: folder)
            let result = try ArchiveReader(folder + "/layout", files: UnnamedFiles(folder: folder)).read(reference: "small:3")
            guard case .tree(let merged, _) = result.content else { throw ArchiveError("test", "no image") }
            #expect(try describe(merged) == describe(read(folder + "/three.tar")))
            #expect(merged.node(at: "gone") == nil)
            #expect(merged.node(at: "d/one") == nil)
            let error = #expect(throws: ArchiveError.self) { _ = try ArchiveReader(folder + "/layout", files: UnnamedFiles(folder: folder)).read() }
            #expect(error?.code == "ambiguous")
            #expect(error?.fix?.contains("small:2") == true)
        }
    }
}
