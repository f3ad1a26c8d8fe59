import Foundation
import GRDB
import Glibc
import Linux

/// Where a chunk lies.
struct ChunkLocation: Sendable, Equatable {
    var digest: Digest
    /// The pack's row.
    var pack: Int64
    /// The frame's first byte in the pack, and its length there.
    var offset: Int64
    var length: Int
    /// Bytes of the frame when decompressed, and the chunk's place in them.
    var frameBytes: Int
    var position: Int
    /// Of this chunk.
    var bytes: Int

    var frameKey: FrameCache.Key { FrameCache.Key(pack: pack, offset: offset) }
}

/// `index.sqlite`: which chunk lies where. Everything in it can be found again from the packs.
public final class ChunkIndex: Sendable {
    private let database: any DatabaseWriter
    private let path: String

    /// - Parameter isReadOnly: on a file system that nobody can write.
    init(path: String, isReadOnly: Bool) throws {
        self.path = path
        var configuration = Configuration()
        configuration.busyMode = .timeout(60)
        configuration.maximumReaderCount = 8
        do {
            if isReadOnly {
                database = try Self.openReadOnly(path, configuration)
            } else {
                database = try DatabasePool(path: path, configuration: configuration)
                // The pool has set NORMAL, with which a commit that was reported may be gone after a crash of the host.
                try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            }
            let version = try database.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
            if version == 0 { try database.write { try Self.create($0) } }
            if version == 1, !isReadOnly { try database.write { try Self.migrate($0) } }
            identity = try database.read { try Int64.fetchOne($0, sql: "SELECT value FROM identity") ?? 0 }
            if version > Self.version {
                throw StoreError("unsupported", "\(path) is of a newer terrine", fix: "use that terrine, or `terrine verify --rebuild-index`")
            }
        } catch let error as DatabaseError { throw Self.explain(error, path) }
    }

    /// SQLite wants to make files beside an index with a log, but for one of which it knows that nobody changes it. What a log holds counts all the same.
    private static func openReadOnly(_ path: String, _ configuration: Configuration) throws -> DatabaseQueue {
        var configuration = configuration
        configuration.readonly = true
        var log = stat()
        if stat(path + "-wal", &log) == 0, log.st_size > 0 { return try DatabaseQueue(path: path, configuration: configuration) }
        let name = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
        return try DatabaseQueue(path: "file:\(name)?immutable=1", configuration: configuration)
    }

    private static let version = 2

    /// Names this index among all that the store ever had: numbers of another mean nothing here.
    public let identity: Int64

    /// Reads in one consistent state; also for other tables of the same store.
    public func read<T>(_ body: (Database) throws -> T) throws -> T {
        do { return try database.read(body) } catch let error as DatabaseError { throw Self.explain(error, path) }
    }

    /// Changes all that `body` does, durably, or nothing.
    public func write<T>(_ body: (Database) throws -> T) throws -> T {
        CrashPoint.pass()
        do { return try database.write(body) } catch let error as DatabaseError { throw Self.explain(error, path) }
    }

    /// What SQLite says is wrong with its file; nil when nothing is.
    public func damage() throws -> String? {
        let said = try read { try String.fetchAll($0, sql: "PRAGMA quick_check(3)") }
        return said == ["ok"] ? nil : said.joined(separator: "; ")
    }

    private static func explain(_ error: DatabaseError, _ path: String) -> StoreError {
        let cause = error.message ?? "\(error)"
        return switch error.resultCode {
        case .SQLITE_FULL:
            StoreError(
                "noSpace", "\(path) cannot grow", cause: cause, fix: "make room on the disk, for example with `terrine gc`; nothing that was finished is lost")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            StoreError("corrupt", "\(path) is damaged", cause: cause, fix: "`terrine verify --rebuild-index` makes it anew from the packs")
        case .SQLITE_BUSY: StoreError("busy", "\(path) has been in use by another process for a minute", cause: cause, fix: "try again")
        case .SQLITE_READONLY:
            StoreError("readOnly", "\(path) cannot be written", cause: cause, fix: "mount its file system writable, or choose another home with TERRINE_HOME")
        case .SQLITE_CANTOPEN, .SQLITE_PERM:
            StoreError("permission", "\(path) cannot be opened for writing", cause: cause, fix: "run it as root, or choose another home with TERRINE_HOME")
        default: StoreError("index", "\(path) cannot be used", cause: cause, fix: "`terrine verify` tells more")
        }
    }

    /// Another process may do the same at this moment.
    ///
    /// Numbers begin anywhere and are never used again, so that whoever still has numbers of an older index finds nothing, and never something else.
    private static func create(_ database: Database) throws {
        if try Int.fetchOne(database, sql: "PRAGMA user_version") != 0 { return }
        let first = Int64.random(in: 1...(1 << 31))
        try database.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS packs (
                    id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, bytes INTEGER NOT NULL, level INTEGER NOT NULL DEFAULT 0);
                CREATE TABLE IF NOT EXISTS moves (count INTEGER NOT NULL);
                INSERT INTO moves VALUES (0);
                CREATE TABLE IF NOT EXISTS chunks (
                    number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, pack INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
                    frameBytes INTEGER NOT NULL, position INTEGER NOT NULL, bytes INTEGER NOT NULL);
                CREATE INDEX IF NOT EXISTS chunksOfPack ON chunks (pack);
                CREATE TABLE IF NOT EXISTS identity (value INTEGER NOT NULL);
                INSERT INTO identity VALUES (\(Int64.random(in: 1...Int64.max)));
                INSERT INTO sqlite_sequence (name, seq) VALUES ('chunks', \(first));
                PRAGMA user_version = \(version);
                """)
    }

    /// From version 1, which had no repacked packs.
    private static func migrate(_ database: Database) throws {
        if try Int.fetchOne(database, sql: "PRAGMA user_version") != 1 { return }
        try database.execute(
            sql: """
                ALTER TABLE packs ADD COLUMN level INTEGER NOT NULL DEFAULT 0;
                CREATE TABLE moves (count INTEGER NOT NULL);
                INSERT INTO moves VALUES (0);
                PRAGMA user_version = 2;
                """)
    }

    /// How often packs were written anew: what was measured of frames before the last time is no longer so.
    public static func moves(_ database: Database) throws -> Int64 { try Int64.fetchOne(database, sql: "SELECT count FROM moves") ?? 0 }

    /// All numbers that chunks have now are in it.
    func numberRange() throws -> Range<Int> {
        try read { database in
            let row = try Row.fetchOne(database, sql: "SELECT (SELECT min(number) FROM chunks), (SELECT max(number) FROM chunks)")
            guard let first = row?[0] as Int?, let last = row?[1] as Int? else { return 0..<0 }
            return first..<last + 1
        }
    }

    /// Calls `body` with the number of each of `digests` that is known.
    func forEachNumber(of digests: some Sequence<Digest>, _ body: (UInt32) -> Void) throws {
        try read { database in
            let statement = try database.cachedStatement(sql: "SELECT number FROM chunks WHERE digest = ?")
            for digest in digests {
                if let number = try Int64.fetchOne(statement, arguments: [Data(digest.bytes)]) { body(UInt32(truncatingIfNeeded: number)) }
            }
        }
    }

    /// Calls `body` with each chunk of a pack and its frame's place, in the order in which they lie there.
    func forEachPlace(ofPack pack: Int64, _ body: (_ number: UInt32, _ offset: Int64, _ length: Int64) -> Void) throws {
        try read { database in
            let statement = try database.cachedStatement(sql: "SELECT number, offset, length FROM chunks WHERE pack = ? ORDER BY offset, position")
            let rows = try Row.fetchCursor(statement, arguments: [pack])
            while let row = try rows.next() { body(UInt32(truncatingIfNeeded: row[0] as Int64), row[1], row[2]) }
        }
    }

    /// The numbers of those chunks that are known.
    func numbers(of digests: some Collection<Digest>) throws -> [Digest: UInt32] {
        try read { database in
            let statement = try database.cachedStatement(sql: "SELECT number FROM chunks WHERE digest = ?")
            var found: [Digest: UInt32] = Dictionary(minimumCapacity: digests.count)
            for digest in digests {
                if let number = try Int64.fetchOne(statement, arguments: [Data(digest.bytes)]) { found[digest] = UInt32(truncatingIfNeeded: number) }
            }
            return found
        }
    }

    /// Adds a published pack, in a transaction of the caller's. Chunks that became known meanwhile keep their place.
    ///
    /// - Parameters:
    ///   - replacing: let known chunks lie here from now on; their numbers stay.
    ///   - level: of what was repacked; 0 for packs as they were first written.
    static func add(
        pack digest: Digest, bytes: Int64, _ frames: [(offset: Int64, frame: PackFormat.Frame)], replacing: Bool = false, level: Int32 = 0, _ database: Database
    ) throws {
        try database.execute(sql: "INSERT OR IGNORE INTO packs (digest, bytes, level) VALUES (?, ?, ?)", arguments: [Data(digest.bytes), bytes, level])
        if replacing { try database.execute(sql: "UPDATE moves SET count = count + 1") }
        guard let pack = try Int64.fetchOne(database, sql: "SELECT id FROM packs WHERE digest = ?", arguments: [Data(digest.bytes)]) else { return }
        let known =
            replacing
            ? """
            UPDATE SET pack = excluded.pack, offset = excluded.offset, length = excluded.length, frameBytes = excluded.frameBytes,
            position = excluded.position, bytes = excluded.bytes
            """ : "NOTHING"
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO chunks (digest, pack, offset, length, frameBytes, position, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (digest) DO \(known)
                """)
        for (offset, frame) in frames {
            let each = ChunkStore.chunkBytes
            for (index, chunk) in frame.chunks.enumerated() {
                let position = index * each
                try statement.execute(arguments: [
                    Data(chunk.bytes), pack, offset, Int64(frame.compressed), Int64(frame.plain), Int64(position),
                    Int64(min(each, Int(frame.plain) - position)),
                ])
            }
        }
    }

    /// The chunks numbered `numbers`, which is what was written at about the same time.
    func locations(_ numbers: ClosedRange<UInt32>) throws -> [UInt32: ChunkLocation] {
        try read { database in
            var found: [UInt32: ChunkLocation] = [:]
            let statement = try database.cachedStatement(
                sql: "SELECT number, digest, pack, offset, length, frameBytes, position, bytes FROM chunks WHERE number BETWEEN ? AND ?")
            let rows = try Row.fetchCursor(statement, arguments: [Int64(numbers.lowerBound), Int64(numbers.upperBound)])
            while let row = try rows.next() {
                let (number, bytes): (Int64, Data) = (row[0], row[1])
                guard let digest = Digest(bytes: bytes) else { continue }
                found[UInt32(truncatingIfNeeded: number)] = ChunkLocation(
                    digest: digest, pack: row[2], offset: row[3], length: row[4], frameBytes: row[5], position: row[6], bytes: row[7])
            }
            return found
        }
    }

    func packDigest(_ id: Int64) throws -> Digest? {
        try read { try Data.fetchOne($0, sql: "SELECT digest FROM packs WHERE id = ?", arguments: [id]) }.flatMap { Digest(bytes: $0) }
    }

    func packs() throws -> [(id: Int64, digest: Digest, bytes: Int64)] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT id, digest, bytes FROM packs").compactMap { row in
                let bytes: Data = row[1]
                return Digest(bytes: bytes).map { (row[0], $0, row[2]) }
            }
        }
    }

    /// Those that were not repacked at this level, oldest first.
    func packs(below level: Int32) throws -> [(id: Int64, digest: Digest)] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT id, digest FROM packs WHERE level < ? ORDER BY id", arguments: [level]).compactMap { row in
                Digest(bytes: row[1] as Data).map { (row[0], $0) }
            }
        }
    }

    /// What a pack was repacked at; 0 when it was not.
    func level(ofPack pack: Int64) throws -> Int32 {
        try read { try Int32.fetchOne($0, sql: "SELECT level FROM packs WHERE id = ?", arguments: [pack]) ?? 0 }
    }

    /// Forgets those of `packs` that hold nothing that is known.
    func removeEmpty(packs: [Int64]) throws -> [(digest: Digest, bytes: Int64)] {
        try write { database in
            var removed: [(digest: Digest, bytes: Int64)] = []
            for pack in packs {
                let row = try Row.fetchOne(
                    database, sql: "SELECT digest, bytes FROM packs WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chunks WHERE pack = packs.id)", arguments: [pack]
                )
                guard let row, let digest = Digest(bytes: row[0] as Data) else { continue }
                try database.execute(sql: "DELETE FROM packs WHERE id = ?", arguments: [pack])
                removed.append((digest, row[1]))
            }
            return removed
        }
    }

    /// What a pack holds, in the order in which it lies there.
    func chunks(ofPack pack: Int64) throws -> [(number: UInt32, location: ChunkLocation)] {
        try read { database in
            try Row.fetchAll(
                database, sql: "SELECT number, digest, offset, length, frameBytes, position, bytes FROM chunks WHERE pack = ? ORDER BY offset, position",
                arguments: [pack]
            ).compactMap { row in
                let (number, bytes): (Int64, Data) = (row[0], row[1])
                guard let digest = Digest(bytes: bytes) else { return nil }
                let location = ChunkLocation(digest: digest, pack: pack, offset: row[2], length: row[3], frameBytes: row[4], position: row[5], bytes: row[6])
                return (UInt32(truncatingIfNeeded: number), location)
            }
        }
    }

    func chunkCount() throws -> Int { try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM chunks") ?? 0 } }

    /// Forgets packs and their chunks; before their files are unlinked.
    func remove(packs: [Int64]) throws {
        try write { database in
            for pack in packs {
                try database.execute(sql: "DELETE FROM chunks WHERE pack = ?", arguments: [pack])
                try database.execute(sql: "DELETE FROM packs WHERE id = ?", arguments: [pack])
            }
        }
    }

    /// Forgets chunks that nobody needs, so that nobody counts on them from now on.
    func remove(chunks: [UInt32]) throws {
        try write { database in
            let statement = try database.cachedStatement(sql: "DELETE FROM chunks WHERE number = ?")
            for number in chunks { try statement.execute(arguments: [Int64(number)]) }
        }
    }

    /// Forgets what a row says to be in a pack that is not in it.
    static func keepOnly(_ chunks: Set<Digest>, ofPack digest: Digest, _ database: Database) throws {
        let rows = try Row.fetchAll(
            database, sql: "SELECT number, digest FROM chunks WHERE pack = (SELECT id FROM packs WHERE digest = ?)", arguments: [Data(digest.bytes)])
        for row in rows where !(Digest(bytes: row[1] as Data).map(chunks.contains) ?? false) {
            try database.execute(sql: "DELETE FROM chunks WHERE number = ?", arguments: [row[0] as Int64])
        }
    }

    /// Forgets all packs but these, and chunks that lie in none.
    func keepOnly(packs: Set<Digest>) throws {
        try write { database in
            for digest in try Data.fetchAll(database, sql: "SELECT digest FROM packs") where Digest(bytes: digest).map({ !packs.contains($0) }) ?? true {
                try database.execute(sql: "DELETE FROM packs WHERE digest = ?", arguments: [digest])
            }
            try database.execute(sql: "DELETE FROM chunks WHERE pack NOT IN (SELECT id FROM packs)")
        }
    }
}
