import Foundation
import Glibc
import Linux
import Testing

/// A home of its own, on which the real program is run as a person runs it; at the end nothing of it may be left.
final class Home {
    let path: String

    /// Runs `body` with a fresh home, and checks afterwards that no mount, loop device or process of it is left.
    static func with(sourceLocation: SourceLocation = #_sourceLocation, _ body: (Home) throws -> Void) throws {
        let home = try Home()
        // Machines that a failed test left must not fail the next one too, so they go in any case; only then is the body's error told.
        let result = Result { try body(home) }
        if case .failure = result { _ = try home.terrine("rm", "--all") }
        try home.expectNothingLeft(sourceLocation: sourceLocation)
        try FileManager.default.removeItem(atPath: home.path)
        try result.get()
    }

    /// A home that a test has made by other means, and that it takes away itself.
    init(at path: String) { self.path = path }

    private init() throws {
        path = NSTemporaryDirectory() + "terrine-e2e-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Beside the test bundle, which the package manager puts where it puts programs.
    static let program: String = {
        let own = try! FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: own).deletingLastPathComponent().path + "/terrine"
    }()

    struct Run {
        let code: Int32
        let output: String
        let errors: String
        var lines: [String] { output.split(separator: "\n").map(String.init) }
        /// What `--json` printed.
        func json<T: Decodable>(_ type: T.Type = T.self) throws -> T { try JSONDecoder().decode(type, from: Data(output.utf8)) }
    }

    /// Seconds after which a command hangs, where a call says nothing else.
    var limit = 300

    /// Runs `terrine`, and kills it when it takes longer than any test should.
    @discardableResult
    func terrine(
        _ arguments: String..., input: String = "", in folder: String? = nil, expect code: Int32? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws
        -> Run
    {
        try terrine(arguments, input: input, in: folder, expect: code, sourceLocation: sourceLocation)
    }

    @discardableResult
    func terrine(
        _ arguments: [String], environment: [String] = [], input: String = "", in folder: String? = nil, expect code: Int32? = nil, limit: Int? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Run {
        // `timeout` kills what it runs in a group of its own: a hang is a failure that says which command hung.
        var command = Command("timeout", ["--kill-after=5", "\(limit ?? self.limit)", Self.program] + arguments)
        let inherited = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }.filter { !$0.hasPrefix("TERRINE_HOME=") }
        command.environment = inherited + ["TERRINE_HOME=\(path)"] + environment
        command.workingFolder = folder
        let result = try command.capture(input: input)
        if let code {
            let words = arguments.joined(separator: " ")
            try #require(result.status.code == code, "terrine \(words)\n\(result.output)\(result.errors)", sourceLocation: sourceLocation)
        }
        return Run(code: result.status.code, output: result.output, errors: result.errors)
    }

    /// Writes a file below the home, for recipes.
    func write(_ file: String, _ contents: String) throws {
        let full = path + "/" + file
        try FileManager.default.createDirectory(atPath: URL(fileURLWithPath: full).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try contents.write(toFile: full, atomically: true, encoding: .utf8)
    }
}
