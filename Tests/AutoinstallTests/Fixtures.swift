import Foundation
import Testing

@testable import Autoinstall
@testable import Recipes

enum Fixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures").path

    static func names(_ section: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(section)")) ?? []
        return names.filter { !$0.hasSuffix(".yaml") && !$0.hasPrefix(".") }.sorted()
    }

    static func text(_ path: String) throws -> String { try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8) }

    /// Compares with a file that a person has read; `TERRINE_RECORD` writes it anew, to be read again.
    static func expect(_ text: String, _ path: String, sourceLocation: Testing.SourceLocation = #_sourceLocation) throws {
        let file = "\(folder)/\(path)"
        if ProcessInfo.processInfo.environment["TERRINE_RECORD"] != nil { try text.write(toFile: file, atomically: true, encoding: .utf8) }
        let expected = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        #expect(text == expected, "\(path)", sourceLocation: sourceLocation)
    }
}

/// A repository of these files, in a folder that goes away again.
func withRepository<T>(_ files: [String: String], limits: Repository.Limits = .init(), _ body: (Repository) throws -> T) throws -> T {
    try withFolder(files) { try body(try Repository(root: $0, limits: limits)) }
}

func withFolder<T>(_ files: [String: String] = [:], _ body: (String) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.appending(path: "autoinstall-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (path, text) in files { try write(text, folder, path) }
    return try body(folder)
}

func write(_ text: String, _ folder: String, _ path: String) throws {
    let full = folder + "/" + path
    try FileManager.default.createDirectory(atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try text.write(toFile: full, atomically: false, encoding: .utf8)
}

extension Subject {
    /// In a line, for comparing.
    var shown: String {
        switch self {
        case .base(let name): "base \(name)"
        case .language(let name, let constraint): "language \(name)\(constraint.map { " \($0)" } ?? "")"
        case .systemPackage(let name): "apt \(name)"
        case .package(let manager, let name): "\(manager) \(name)"
        case .packageFile(let manager, let key, let file): "\(manager) \(key): \(file)"
        case .project(let manager, let folder): "\(manager) project \(folder)"
        case .lockFile(let manager, let file): "\(manager) lock \(file)"
        case .buildSystem(let name): "build \(name)"
        case .testRunner(let runner): "runner \(runner.rawValue)"
        case .library(let library): "library \(library)"
        case .service(let use): "service \(use.name)" + [use.database, use.user, use.password].map { " " + ($0 ?? "-") }.joined()
        case .tool(let name): "tool \(name)"
        case .secret(let name, let isRequired): "secret \(name)\(isRequired ? " required" : "")"
        case .variable(let name, let value): "env \(name)=\(value)"
        case .port(let port): "port \(port)"
        case .user(let name): "user \(name)"
        case .workspace(let path): "workspace \(path)"
        case .resources(let cpus, let memory, let disk): "resources \(cpus.map(String.init) ?? "-") \(memory ?? "-") \(disk ?? "-")"
        case .step(let step): "step \(step.name): \(step.run.trimmingSpaces.replacing("\n", with: " ⏎ "))"
        case .goal(let goal): "goal \(goal.kind.rawValue) \(goal.command) (\(goal.runner?.rawValue ?? "-"))"
        }
    }
}
