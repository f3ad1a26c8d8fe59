import Foundation
import Linux
import Testing

@testable import Machines

@Suite struct ControlChannelTests {
    @Test func valuesArriveInOrderWithTheirDescriptors() throws {
        let (a, b) = try UnixSocket.pair()
        let (sender, receiver) = (ControlChannel(a), ControlChannel(b))
        let memory = try Descriptor.memory(named: "test")
        try "hello".utf8CString.withUnsafeBytes { try memory.write($0, at: 0) }
        try sender.send(SupervisorRequest.seal(next: "line\nbreak"), descriptors: [memory.raw])
        try sender.send(SupervisorRequest.flush)
        let first = try #require(try receiver.receive(SupervisorRequest.self))
        guard case .seal(let next) = first.value else { throw MachineError("test", "not a seal") }
        #expect(next == "line\nbreak" && first.descriptors.count == 1)
        var bytes = [UInt8](repeating: 0, count: 5)
        _ = try bytes.withUnsafeMutableBytes { try first.descriptors[0].read(into: $0, at: 0) }
        #expect(String(decoding: bytes, as: UTF8.self) == "hello")
        guard case .flush = try #require(try receiver.receive(SupervisorRequest.self)).value else { throw MachineError("test", "not a flush") }
    }

    @Test func anErrorCrossesWhole() throws {
        let error = ErrorText(MachineError("busy", "what", cause: "why", fix: "how"))
        let back = try JSONDecoder().decode(ErrorText.self, from: JSONEncoder().encode(error)).error
        #expect(back.code == "busy" && back.message == "what" && back.cause == "why" && back.fix == "how")
    }

    @Test func aClosedEndIsNoAnswer() throws {
        let channel: ControlChannel
        do {
            let (mine, its) = try UnixSocket.pair()
            channel = ControlChannel(mine)
            withExtendedLifetime(its) {}
        }
        #expect(try channel.receive(KeeperAnswer.self)?.value.image == nil)
    }
}
