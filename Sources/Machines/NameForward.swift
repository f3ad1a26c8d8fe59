import CLinux
import Glibc
import Linux
import Synchronization

/// Answers a machine's DNS questions (UDP) by asking a resolver that listens on this host's loopback only.
final class NameForward: Sendable {
    private let listener: Descriptor
    private let isClosing = Atomic(false)
    private let thread = Mutex<PlainThread?>(nil)

    /// A question that the resolver has not answered yet.
    private struct Question {
        let socket: Descriptor
        let asker: sockaddr_in
        let asked: ContinuousClock.Instant
    }

    init(device: String, resolver: IPv4Address) throws {
        listener = try PortForward.open(MachineNetwork.gateway, 53, type: Int32(SOCK_DGRAM.rawValue), device: device)
        let thread = try PlainThread { [weak self, listener] in
            var waiting: [Question] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                var polls = ([listener.raw] + waiting.map(\.socket.raw)).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                _ = poll(&polls, nfds_t(polls.count), 1000)
                guard let self, !self.isClosing.load(ordering: .acquiring) else { return }
                for (question, entry) in zip(waiting, polls.dropFirst()) where entry.revents != 0 {
                    let count = recv(question.socket.raw, &buffer, buffer.count, 0)
                    if count > 0 { PortForward.withSockaddr(question.asker) { _ = sendto(listener.raw, buffer, count, 0, $0, $1) } }
                }
                let now = ContinuousClock.now
                waiting = zip(waiting, polls.dropFirst()).filter { $1.revents == 0 && $0.asked.duration(to: now) < .seconds(10) }.map(\.0)
                if polls[0].revents != 0, waiting.count < 256 { if let question = Self.passOn(listener, resolver, &buffer) { waiting.append(question) } }
            }
        }
        self.thread.withLock { $0 = thread }
    }

    func close() {
        isClosing.store(true, ordering: .releasing)
        // Wakes the poll; a datagram socket that is not connected says so and wakes all the same.
        shutdown(listener.raw, Int32(SHUT_RDWR))
        thread.withLock { $0 }?.join()
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
