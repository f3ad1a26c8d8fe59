import CLinux
import Glibc
import Linux

extension FUSEExport {
    /// Does what one request asks.
    ///
    /// - Parameter length: bytes of the request in `buffer`.
    func handle(_ header: fuse_in_header, length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        // Everything unknown, and FLUSH, ACCESS, GETXATTR, LSEEK, INTERRUPT and the like: ENOSYS says "never ask again, do as if there were none".
        guard let operation = FUSEOperation(rawValue: header.opcode) else { return .failure(ENOSYS) }
        switch operation {
        case .read: return read(header, length, buffer)
        case .write: return write(header, length, buffer)
        case .allocate: return allocate(header, length, buffer)
        case .sync: return attempt("flush") { try backend.flush() }
        case .initialize: return initialize(length, buffer)
        case .lookup: return lookup(header, length, buffer)
        case .forget, .batchForget: return .nothing
        case .getAttributes: return attributes(of: header.nodeid, buffer)
        case .setAttributes: return setAttributes(header, length, buffer)
        case .open:
            guard header.nodeid == FUSEProtocol.diskNode else { return .failure(EISDIR) }
            return buffer.answer(fuse_open_out(fh: 0, open_flags: FUSEProtocol.openFlags, padding: 0))
        case .openFolder: return buffer.answer(fuse_open_out(fh: 0, open_flags: 0, padding: 0))
        case .readFolder: return readFolder(length, buffer)
        case .release, .releaseFolder, .destroy: return .done
        case .statFileSystem:
            var status = fuse_statfs_out()
            // The block size is the grain that the loop device takes for discards.
            status.st.bsize = 4096
            status.st.frsize = 4096
            status.st.blocks = UInt64(backend.size) / 4096
            status.st.files = 1
            status.st.namelen = 255
            return buffer.answer(status)
        case .symlink, .makeNode, .makeFolder, .unlink, .removeFolder, .rename, .rename2, .link, .create: return .failure(EPERM)
        }
    }

    // MARK: data

    private func read(_ header: fuse_in_header, _ length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        guard let request = buffer.arguments(fuse_read_in.self, length: length), let offset = Int64(exactly: request.offset) else {
            return .failure(EINVAL)
        }
        let count = Int(max(0, min(Int64(request.size), Int64(FUSEProtocol.maximumWrite), backend.size - offset)))
        if count == 0 { return .done }
        let failed = attempt("read", offset, Int64(count)) {
            try backend.read(into: UnsafeMutableRawBufferPointer(start: buffer.payload, count: count), at: offset)
        }
        if case .failure = failed { return failed }
        return .payload(count)
    }

    private func write(_ header: fuse_in_header, _ length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        guard let request = buffer.arguments(fuse_write_in.self, length: length), let offset = Int64(exactly: request.offset),
            length == FUSEProtocol.writePrefix + Int(request.size)
        else { return .failure(EINVAL) }
        guard offset <= backend.size - Int64(request.size) else { return .failure(ENOSPC) }
        let failed = attempt("write", offset, Int64(request.size)) {
            try backend.write(UnsafeRawBufferPointer(start: buffer.payload, count: Int(request.size)), at: offset)
        }
        if case .failure = failed { return failed }
        return buffer.answer(fuse_write_out(size: request.size, padding: 0))
    }

    private func allocate(_ header: fuse_in_header, _ length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        guard let request = buffer.arguments(fuse_fallocate_in.self, length: length), let offset = Int64(exactly: request.offset),
            let asked = Int64(exactly: request.length), asked > 0
        else { return .failure(EINVAL) }
        let count = min(asked, backend.size - offset)
        if count <= 0 { return .done }
        switch request.mode {
        case FUSEProtocol.punchHole | FUSEProtocol.keepSize:
            return attempt("discard", offset, count) { try backend.discard(at: offset, length: count) }
        case FUSEProtocol.zeroRange | FUSEProtocol.keepSize, FUSEProtocol.zeroRange:
            guard count == asked else { return .failure(ENOSPC) }
            return attempt("zero", offset, count) { try backend.writeZeroes(at: offset, length: count) }
        default: return .failure(EOPNOTSUPP)
        }
    }

    /// Runs one call of the backend's and tells the log what failed.
    private func attempt(_ verb: String, _ offset: Int64 = 0, _ count: Int64 = 0, _ body: () throws -> Void) -> FUSEAnswer {
        do {
            try body()
            return .done
        } catch {
            log("cannot \(verb) the disk\(count > 0 ? " at \(offset), \(count) bytes" : ""): \(error)")
            guard let code = (error as? LinuxError)?.code else { return .failure(EIO) }
            // ENOSYS would tell the kernel to do without from now on, flushes too; the others that a call could be repeated, which it is not.
            let misread = code == ENOSYS || code == EINTR || code == EAGAIN || code < 1 || code > 511
            return .failure(misread ? EIO : code)
        }
    }

    // MARK: names and attributes

    private func initialize(_ length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        guard let request = buffer.arguments(fuse_init_in.self, length: length), request.major == 7, request.minor >= 36 else {
            log("this kernel's FUSE is too old for a disk: Linux 5.17 is the least")
            return .failure(EPROTO)
        }
        let offered = UInt64(request.flags) | UInt64(request.flags2) << 32
        guard offered & FUSEProtocol.requiredFlags == FUSEProtocol.requiredFlags else { return .failure(EPROTO) }
        if offered & FUSEProtocol.hasResend == 0 {
            log("this kernel cannot send requests again (before 6.9): the machine will not survive the death of its disk server")
        }
        let flags = offered & FUSEProtocol.wantedFlags
        var answer = fuse_init_out()
        answer.major = 7
        answer.minor = UInt32(FUSE_KERNEL_MINOR_VERSION)
        answer.max_readahead = request.max_readahead
        answer.flags = UInt32(truncatingIfNeeded: flags)
        answer.flags2 = UInt32(truncatingIfNeeded: flags >> 32)
        // What the kernel sends ahead of answers, as for direct I/O of the loop device; the default of 12 starves several threads.
        answer.max_background = 64
        answer.congestion_threshold = 48
        answer.max_write = UInt32(FUSEProtocol.maximumWrite)
        answer.max_pages = UInt16(FUSEProtocol.maximumWrite / 4096)
        answer.time_gran = 1
        return buffer.answer(answer)
    }

    private func lookup(_ header: fuse_in_header, _ length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        let name = UnsafeRawBufferPointer(start: buffer.request + FUSEProtocol.headerSize, count: length - FUSEProtocol.headerSize)
        guard header.nodeid == FUSEProtocol.rootNode, name.prefix(while: { $0 != 0 }).elementsEqual(exportFileName.utf8) else {
            return .failure(ENOENT)
        }
        var entry = fuse_entry_out()
        entry.nodeid = FUSEProtocol.diskNode
        entry.generation = 1
        entry.entry_valid = 86400
        entry.attr = attributes(of: FUSEProtocol.diskNode)
        return buffer.answer(entry)
    }

    private func attributes(of node: UInt64, _ buffer: FUSEBuffer) -> FUSEAnswer {
        // Valid for no time at all: the size may grow, and nothing asks often.
        buffer.answer(fuse_attr_out(attr_valid: 0, attr_valid_nsec: 0, dummy: 0, attr: attributes(of: node)))
    }

    private func attributes(of node: UInt64) -> fuse_attr {
        var attributes = fuse_attr()
        attributes.ino = node
        attributes.blksize = 4096
        if node == FUSEProtocol.diskNode {
            attributes.size = UInt64(backend.size)
            attributes.blocks = attributes.size / 512
            attributes.mode = S_IFREG | 0o600
            attributes.nlink = 1
        } else {
            attributes.mode = S_IFDIR | 0o500
            attributes.nlink = 2
        }
        return attributes
    }

    private func setAttributes(_ header: fuse_in_header, _ length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        guard let request = buffer.arguments(fuse_setattr_in.self, length: length) else { return .failure(EINVAL) }
        let ownerOrMode: UInt32 = 1 | 2 | 4
        let size: UInt32 = 8
        if request.valid & ownerOrMode != 0 { return .failure(EPERM) }
        // The size is the disk's; setting it to what it is does no harm. Times are not kept.
        if request.valid & size != 0, request.size != UInt64(backend.size) { return .failure(EPERM) }
        return attributes(of: header.nodeid, buffer)
    }

    private func readFolder(_ length: Int, _ buffer: FUSEBuffer) -> FUSEAnswer {
        guard let request = buffer.arguments(fuse_read_in.self, length: length) else { return .failure(EINVAL) }
        let entries: [(StaticString, UInt64, UInt32)] = [(".", FUSEProtocol.rootNode, 4), ("..", FUSEProtocol.rootNode, 4), ("disk", FUSEProtocol.diskNode, 8)]
        var filled = 0
        for (index, entry) in entries.enumerated().dropFirst(Int(clamping: request.offset)) {
            let name = entry.0
            let size = (24 + name.utf8CodeUnitCount + 7) & ~7  // fuse_dirent, padded to 8
            if filled + size > min(Int(request.size), FUSEProtocol.maximumWrite) { break }
            let start = buffer.payload + filled
            memset(start, 0, size)
            start.storeBytes(of: entry.1, as: UInt64.self)
            start.storeBytes(of: UInt64(index + 1), toByteOffset: 8, as: UInt64.self)
            start.storeBytes(of: UInt32(name.utf8CodeUnitCount), toByteOffset: 16, as: UInt32.self)
            start.storeBytes(of: entry.2, toByteOffset: 20, as: UInt32.self)
            memcpy(start + 24, name.utf8Start, name.utf8CodeUnitCount)
            filled += size
        }
        return .payload(filled)
    }
}
