import Glibc
import Linux

/// What a machine makes for itself when it starts for the first time, because all machines of an image would share it otherwise: keys, a database cluster.
///
/// An image has a script for each in a folder of its disk. They run as root before the services, in the order of their names; one that went well is removed, so that
/// it runs once in a machine's life. A build's steps do not run them.
public enum FirstStart {
    public static let folder = "/etc/terrine/first-start"
    /// What all of them together may take, in milliseconds.
    static let limit: Int32 = 300_000

    /// Whether a disk has such scripts.
    public static func isPending(on disk: RootedFolder) throws -> Bool {
        guard let status = try disk.attributes(folder), status.st_mode & S_IFMT == S_IFDIR else { return false }
        return try !disk.list(folder).isEmpty
    }

    /// For a shell in the machine.
    static let script = """
        for script in \(folder)/*; do
          [ -f "$script" ] && [ -x "$script" ] || continue
          if ! "$script"; then
            echo "$script failed"
            exit 1
          fi
          rm -f "$script"
        done
        rmdir \(folder) 2>/dev/null || :
        """
}
