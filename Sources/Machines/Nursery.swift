import CLinux
import Glibc
import Linux
import Synchronization

/// A process that was forked before this one did anything, and that forks keepers when they are wanted.
///
/// To start a program takes some 15 ms, mostly for what a Swift program does once: relocations, and finding out which types conform to what. The nursery
/// does that while the command line is still being read, and a keeper forked from it has it done. It has one thread, so that forking is safe at any
/// time, and ends with the process that planted it. Without it keepers are started as programs.
public final class Nursery: Sendable {
    private static let planted = Mutex<UnixSocket?>(nil)

    /// Makes this process's nursery. To be called first, while the process has one thread.
    ///
    /// - Parameter home: whose machine the process will start, if it is sure to: the first keeper is forked in advance then, and its supervisor opens
    ///   that home's store while the command line is read.
    public static func plant(expecting home: String? = nil) {
        // A machine needs root; what cannot be made now is done without.
        guard geteuid() == 0, let (mine, its) = try? UnixSocket.pair() else { return }
        let pid = clinux_fork()
        if pid == 0 {
            close(mine.descriptor.raw)
            exit(tend(its, home))
        }
        if pid > 0 { planted.withLock { $0 = mine } }
    }

    /// Asks for a keeper that has `channel` as its report channel.
    ///
    /// - Returns: false when there is no nursery.
    static func raise(_ channel: UnixSocket) -> Bool {
        planted.withLock { nursery in
            guard let socket = nursery else { return false }
            // One that was killed is as none.
            do { try socket.send([1], descriptors: [channel.descriptor.raw]) } catch {
                nursery = nil
                return false
            }
            return true
        }
    }

    // MARK: the other process

    private static func tend(_ socket: UnixSocket, _ home: String?) -> Int32 {
        setProcessTitle("terrine __nursery")
        setsid()
        // The kernel takes care of keepers that end before this process does.
        signal(SIGCHLD, SIG_IGN)
        warmUp()
        var early: UnixSocket?
        // Without a pair of sockets there is none; the next keeper needs some too, and tells.
        if let home, let (mine, its) = try? UnixSocket.pair() {
            if clinux_fork() == 0 {
                becomeKeeper(closing: [socket, mine])
                return Keeper.main(waitingAt: its, for: home)
            }
            early = mine
        }
        while let (bytes, descriptors) = try? socket.receive(limit: 1), !bytes.isEmpty {  // An error is the end, as the closed socket is.
            guard let channel = descriptors.first else { continue }
            if let waiting = early.take() {
                do {
                    try waiting.send([1], descriptors: [channel.raw])
                    continue
                } catch {
                    // It died; the next one is as good.
                }
            }
            if clinux_fork() == 0 {  // One that cannot be forked closes its channel, and who waits there is told.
                becomeKeeper(closing: [socket])
                return Keeper.main(ControlChannel(UnixSocket(channel)))
            }
        }
        return 0
    }

    private static func becomeKeeper(closing sockets: [UnixSocket]) {
        signal(SIGCHLD, SIG_DFL)
        setsid()
        for socket in sockets { close(socket.descriptor.raw) }
    }

    /// Does once what every keeper would do for itself.
    private static func warmUp() {
        _ = HostSettings.ofThisHost
        Keeper.warmUp()
    }
}
