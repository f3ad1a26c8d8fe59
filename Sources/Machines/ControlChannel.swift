import Foundation
import Glibc
import Linux

extension LogLevel: Codable {}

/// One JSON value a line over a Unix socket, descriptors along with the line's first byte; one request at a time.
///
/// Unchecked: whoever asks holds the lock of what it belongs to.
final class ControlChannel: @unchecked Sendable {
    private let socket: UnixSocket
    private var pending: [UInt8] = []
    private var descriptors: [Descriptor] = []

    init(_ socket: UnixSocket) { self.socket = socket }

    var raw: Int32 { socket.descriptor.raw }

    func send(_ value: some Encodable, descriptors: [Int32] = []) throws {
        // The encoder escapes line breaks inside strings, so a line is a value.
        try socket.send(Array(try JSONEncoder().encode(value)) + [0x0A], descriptors: descriptors)
    }

    /// The next value and the descriptors that came with it; nil when the other end has closed.
    func receive<T: Decodable>(_ type: T.Type) throws -> (value: T, descriptors: [Descriptor])? {
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                let line = Data(pending[..<end])
                pending.removeSubrange(...end)
                let came = descriptors
                descriptors = []
                return (try JSONDecoder().decode(T.self, from: line), came)
            }
            guard pending.count < 16 << 20 else { throw LinuxError("receive", "a message of more than 16 MiB", code: EMSGSIZE) }
            let (bytes, came) = try socket.receive()
            descriptors += came
            if bytes.isEmpty { return nil }
            pending += bytes
        }
    }

    /// Sends a request and waits for its answer; nil when the other end has closed, whether it had done it or not.
    func ask<Answer: Decodable>(_ request: some Encodable, descriptors: [Int32] = [], _ answer: Answer.Type) throws -> Answer? {
        do {
            try send(request, descriptors: descriptors)
            return try receive(answer)?.value
        } catch let error as LinuxError where [EPIPE, ECONNRESET].contains(error.code) {
            return nil
        }
    }
}

/// An error as it crosses a process boundary.
struct ErrorText: Codable, Sendable {
    var code: String
    var message: String
    var cause: String?
    var fix: String?

    init(_ error: any Error) {
        if let error = error as? MachineError {
            (code, message, cause, fix) = (error.code, error.message, error.cause, error.fix)
        } else {
            (code, message) = ("failed", "\(error)")
        }
    }

    var error: MachineError { MachineError(code, message, cause: cause, fix: fix) }
}

/// What a keeper is to be; comes first, with these descriptors: the log, the machine's lock and, with a command, its input, output and errors.
struct KeeperJob: Codable, Sendable {
    var home: String
    var name: String
    var logLevel: LogLevel
    /// Runs as the machine's own process, which ends with it.
    var command: ForegroundCommand?
}

/// A command that a machine is made for.
struct ForegroundCommand: Codable, Sendable {
    var arguments: [String]
    var environment: [String: String]
    var workingFolder: String?
    var user: String?
}

/// What the keeper asks of its supervisor.
enum SupervisorRequest: Codable, Sendable {
    /// Comes first, with these descriptors: the FUSE device, the log, and the live states of `liveStates` in that order.
    case serve(home: String, machine: String, DiskDescription, resumed: Bool, liveStates: [String])
    /// Goes on in `next`, whose live state comes along. Answers before the seal is recorded.
    case seal(next: String)
    /// Records the last seal: what was before it is durable when this is answered.
    case recordSeal
    /// The image now holds what the overlays `dropping` held.
    case rebase(image: String, dropping: [String])
    /// Makes all durable; then the export may end.
    case flush
}

struct DiskDescription: Codable, Sendable, Equatable {
    var image: String
    var sealed: [String]
    var top: String
    var size: Int64
    /// Nobody needs the disk after the host died: nothing is made durable.
    var isVolatile: Bool
}

struct SupervisorAnswer: Codable, Sendable {
    var error: ErrorText?
    /// Bytes in the overlay that was sealed.
    var dirtyBytes: Int64 = 0
}

/// What commands ask of the keeper.
enum KeeperRequest: Codable, Sendable {
    case status
    /// Flush, freeze, swap the overlay, thaw.
    case seal
    case rebase(image: String, dropping: [String])
    /// Ends all processes and unmounts; answered when the machine is taken down.
    case stop(KeeperStop)
    /// Another supervisor, from the program whose file comes along.
    case replaceSupervisor
    /// The services' states.
    case services
}

struct KeeperStop: Codable, Sendable {
    var state: MachineFile.State
    /// What processes get before they are killed, in seconds.
    var grace: Double
    /// Tells the disk what no file uses any more.
    var trims: Bool
    /// What was not flushed yet is given up: the disk is of no use any more.
    var discards = false
    /// Removes the machine afterwards.
    var removes: Bool
}

struct KeeperAnswer: Codable, Sendable {
    var error: ErrorText?
    /// After a seal: the sealed overlays, oldest first.
    var sealed: [String] = []
    var image: String?
    var pauseMilliseconds: Double?
    var dirtyBytes: Int64?
    var services: [ServiceReport] = []
    /// Of the machine's first process.
    var pid: Int32?
    /// How the command of a ``KeeperJob`` ended; comes last.
    var exit: Int32?
}

/// How a service is doing.
public struct ServiceReport: Codable, Sendable {
    public var name: String
    /// `starting`, `ready`, `failed`, `exited`.
    public var state: String
    public var restarts: Int
    public var message: String?
}
