import Linux
import Testing

/// A tree of files of this host, a line each with all that Linux knows of it; what two programs made of the same archive is compared by it.
enum FileListing {
    /// - Parameter holes: whether files must have them in the same places, to 64 KiB, as trees have them; some programs fill them.
    static func of(_ path: String, holes: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) throws -> [String] {
        let result = try Command("python3", ["-c", script, path, holes ? "holes" : ""]).capture()
        try #require(result.status == .exited(0), "\(result.errors)", sourceLocation: sourceLocation)
        return result.output.split(separator: "\n").map(String.init)
    }

    private static let script = """
        import hashlib, os, stat, sys
        top = os.fsencode(sys.argv[1])
        names = {}
        def data(path, size):
            file = os.open(path, os.O_RDONLY)
            found, at = [], 0
            while at < size:
                try: start = os.lseek(file, at, os.SEEK_DATA)
                except OSError: break
                at = os.lseek(file, start, os.SEEK_HOLE)
                found.append((start // 65536, -(-at // 65536)))
            os.close(file)
            return found
        def tell(path, name):
            status = os.lstat(path)
            words = [name, oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns]
            if not stat.S_ISDIR(status.st_mode): words += [status.st_nlink, names.setdefault(status.st_ino, name)]
            if stat.S_ISREG(status.st_mode):
                with open(path, 'rb') as file: words += [status.st_size, hashlib.sha256(file.read()).hexdigest()]
                if sys.argv[2]: words.append(data(path, status.st_size))
            if stat.S_ISLNK(status.st_mode): words.append(os.readlink(path))
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode): words.append(os.stat(path).st_rdev)
            words.append(sorted((key, os.getxattr(path, key, follow_symlinks=False)) for key in os.listxattr(path, follow_symlinks=False)))
            print(*(ascii(word) for word in words))
            if stat.S_ISDIR(status.st_mode):
                for child in sorted(os.listdir(path)):
                    # The file system's own.
                    if (name, child) != (b'.', b'lost+found'): tell(path + b'/' + child, name + b'/' + child)
        tell(top, b'.')
        """
}
