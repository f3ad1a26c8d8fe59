import ChunkStore
import Images
import Linux

extension MachineHost {
    /// Writes a machine down that has not started yet, unless its image is foreign and not trusted.
    func make(_ spec: MachineSpec) throws -> (Machine, FileLock) {
        try requireTrust(in: spec.image.digest, named: spec.imageReference, isTrusted: spec.trustsImage)
        return try make(name: spec.name) { name, now in try MachineFile(spec, name: name, now: now) }
    }

    /// A file system is code for the kernel that mounts it: one that a stranger made is mounted only for who asked for it.
    func requireTrust(in image: Digest, named reference: String?, isTrusted: Bool) throws {
        guard !isTrusted, let origin = try images.foreignOrigin(of: image) else { return }
        throw MachineError(
            "foreign", "the image \(reference ?? image.description) is foreign, and this host's kernel would mount its file system",
            cause: "it came from \(origin), or stands on what did, and that is not trusted here",
            fix: "make a fresh file system of its files with `terrine import --rebuild`, or say `--trust` if you know who made it")
    }
}
