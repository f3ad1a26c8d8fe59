import Foundation
import Yams

/// `TERRINE_HOME/config.yaml`: what this host thinks of remotes.
///
/// ```yaml
/// remotes:
///   registry.example.com/team:      # a host, or a part of its repositories; the longest that fits counts
///     trusted: true                 # images from there are as good as our own
///     plainHTTP: true               # no TLS
///     keys: [/etc/terrine/ci.pub]   # or those that one of these has signed
/// requireSignature: [/etc/terrine/ci.pub]
/// ```
public struct RemoteConfiguration: Sendable {
    public struct Remote: Sendable {
        public var isTrusted = false
        public var isPlain = false
        /// Paths of public keys.
        public var keys: [String] = []
    }
    var remotes: [String: Remote] = [:]
    /// Paths of public keys: no machine starts from an image that none of these has signed. Empty: none is asked for.
    public private(set) var requiredKeys: [String] = []

    /// Of that home; what is not said is as if there were no file.
    ///
    /// - Throws: ``RemoteError`` `invalid` with the place of what is wrong.
    public static func load(home: String) throws -> RemoteConfiguration {
        let path = home + "/config.yaml"
        guard let bytes = FileManager.default.contents(atPath: path) else { return RemoteConfiguration() }
        return try RemoteConfiguration(String(decoding: bytes, as: UTF8.self), path: path)
    }

    init() {}

    init(_ text: String, path: String) throws {
        func wrong(_ node: Node, _ what: String, _ fix: String) -> RemoteError {
            let place = node.mark.map { ":\($0.line):\($0.column)" } ?? ""
            return RemoteError("invalid", "\(path)\(place): \(what)", fix: fix)
        }
        func mapping(_ node: Node, _ what: String) throws -> [(key: String, keyNode: Node, value: Node)] {
            guard let mapping = node.mapping else { throw wrong(node, "\(what) is no mapping", "write `key: value` lines") }
            return try mapping.map { key, value in
                guard let name = key.string else { throw wrong(key, "a key of \(what) is no text", "write `key: value` lines") }
                return (name, key, value)
            }
        }
        let folder = (path as NSString).deletingLastPathComponent
        func keys(_ node: Node, _ what: String) throws -> [String] {
            guard let list = node.sequence.map({ Array($0) }) ?? node.string.map({ _ in [node] }) else {
                throw wrong(node, "`\(what)` is no list of files", "write `\(what): [/path/of/key.pub]`")
            }
            return try list.map { item in
                guard let file = item.string, !file.isEmpty else { throw wrong(item, "`\(what)` holds what is no path", "write `\(what): [/path/of/key.pub]`") }
                return file.hasPrefix("/") ? file : folder + "/" + file
            }
        }
        func flag(_ node: Node, _ what: String) throws -> Bool {
            guard let value = node.bool else { throw wrong(node, "`\(what)` is neither true nor false", "write `\(what): true`") }
            return value
        }
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch { throw RemoteError("invalid", "\(path) is no YAML", cause: "\(error)") }
        guard let root, root.null == nil else { return }
        for (key, keyNode, value) in try mapping(root, "the configuration") {
            switch key {
            case "remotes":
                for (name, _, settings) in try mapping(value, "`remotes`") {
                    var remote = Remote()
                    for (key, keyNode, value) in try mapping(settings, "`\(name)`") {
                        switch key {
                        case "trusted": remote.isTrusted = try flag(value, key)
                        case "plainHTTP": remote.isPlain = try flag(value, key)
                        case "keys": remote.keys = try keys(value, key)
                        default: throw wrong(keyNode, "a remote has no `\(key)`", "it may have `trusted`, `plainHTTP` and `keys`")
                        }
                    }
                    remotes[name] = remote
                }
            case "requireSignature": requiredKeys = try keys(value, key)
            default: throw wrong(keyNode, "there is no `\(key)`", "there may be `remotes` and `requireSignature`")
            }
        }
    }

    /// What is said of the longest part of the name.
    public func remote(_ name: RemoteName) -> Remote {
        var parts = name.repositoryName.split(separator: "/")
        while !parts.isEmpty {
            if let found = remotes[parts.joined(separator: "/")] { return found }
            parts.removeLast()
        }
        return Remote()
    }
}
