import CLinux
import Glibc
import Linux
import Synchronization

/// Answers a machine's DNS questions (UDP) by asking a resolver that listens on this host's loopback only.
final class NameForward: Sendable {
    private let listener: Descriptor
    /// Closing it ends the thread.
    private let stopper: Mutex<Descriptor?>
    private let thread: PlainThread

    /// A question that the resolver has not answered yet.
    private struct Question {
        let socket: Descriptor
        let asker: sockaddr_in
        let asked: ContinuousClock.Instant
    }

    init(device: String, resolver: IPv4Address) throws {
        listener = try PortForward.open(MachineNetwork.gateway, 53, type: Int32(SOCK_DGRAM.rawValue), device: device)
        var ends: [Int32] = [0, 0]
        try check("make", "a pipe") { pipe2(&ends, 0o2000000) }  // O_CLOEXEC
        let stopped = Descriptor(owning: ends[0])
        stopper = Mutex(Descriptor(owning: ends[1]))
        thread = try PlainThread { [listener] in
            var waiting: [Question] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                var polls = ([stopped.raw, listener.raw] + waiting.map(\.socket.raw)).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                _ = poll(&polls, nfds_t(polls.count), waiting.isEmpty ? -1 : 1000)
                if polls[0].revents != 0 { return }
                for (question, entry) in zip(waiting, polls.dropFirst(2)) where entry.revents != 0 {
                    let count = recv(question.socket.raw, &buffer, buffer.count, 0)
                    if count > 0 { PortForward.withSockaddr(question.asker) { _ = sendto(listener.raw, buffer, count, 0, $0, $1) } }
                }
                let now = ContinuousClock.now
                waiting = zip(waiting, polls.dropFirst(2)).filter { $1.revents == 0 && $0.asked.duration(to: now) < .seconds(10) }.map(\.0)
                guard polls[1].revents != 0, let question = Self.passOn(listener, resolver, &buffer) else { continue }
                // Who asks faster than he is answered loses his oldest questions.
                if waiting.count == 256 { waiting.removeFirst() }
                waiting.append(question)
            }
        }
    }

    func close() {
        stopper.withLock { $0 = nil }
        thread.join()
    }

    private static func passOn(_ listener: Descriptor, _ resolver: IPv4Address, _ buffer: inout [UInt8]) -> Question? {
        var asker = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &asker) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(listener.raw, &buffer, buffer.count, 0x40, $0, &size) }
        }
        guard count > 0 else { return nil }
        let raw = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | 0o2000000, 0)
        guard raw >= 0 else { return nil }
        let upstream = Descriptor(owning: raw)
        let connected = PortForward.withSockaddr(resolver.socketAddress(port: 53)) { connect(raw, $0, $1) }
        guard connected == 0, send(raw, buffer, count, 0) == count else { return nil }
        return Question(socket: upstream, asker: asker, asked: .now)
    }
}
