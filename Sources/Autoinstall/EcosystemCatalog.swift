import Foundation
import Recipes
import Synchronization

/// The ecosystems that are known: those that this program was built with, `TERRINE_HOME/ecosystems/*.yaml`, and the repository's own in
/// `.terrine/ecosystems/`. One of the same name takes the place of an earlier one.
public struct EcosystemCatalog: Sendable {
    /// In the order of their names.
    public let ecosystems: [Ecosystem]

    private static let builtIn: [(name: String, bytes: [UInt8])] = [
        ("c-autotools", PackageResources.c_autotools_yaml), ("c-make", PackageResources.c_make_yaml), ("cpp-cmake", PackageResources.cpp_cmake_yaml),
        ("d-dub", PackageResources.d_dub_yaml), ("dotnet", PackageResources.dotnet_yaml), ("elixir-mix", PackageResources.elixir_mix_yaml),
        ("erlang-rebar", PackageResources.erlang_rebar_yaml), ("go", PackageResources.go_yaml), ("haskell-cabal", PackageResources.haskell_cabal_yaml),
        ("java-gradle", PackageResources.java_gradle_yaml), ("java-maven", PackageResources.java_maven_yaml), ("lua", PackageResources.lua_yaml),
        ("make", PackageResources.make_yaml), ("meson", PackageResources.meson_yaml), ("node", PackageResources.node_yaml),
        ("ocaml-dune", PackageResources.ocaml_dune_yaml), ("perl", PackageResources.perl_yaml), ("php-composer", PackageResources.php_composer_yaml),
        ("python", PackageResources.python_yaml), ("r", PackageResources.r_yaml), ("ruby", PackageResources.ruby_yaml), ("rust", PackageResources.rust_yaml),
        ("shell", PackageResources.shell_yaml), ("swift", PackageResources.swift_yaml), ("tcl", PackageResources.tcl_yaml), ("zig", PackageResources.zig_yaml),
    ]

    public static var builtInNames: [String] { builtIn.map(\.name) }

    private static let known = Mutex<[Ecosystem]>([])

    /// Only what is built in.
    public init() throws { ecosystems = try Self.builtInEcosystems() }

    /// - Parameters:
    ///   - home: TERRINE_HOME; nil for none.
    ///   - repository: whose own definitions count too.
    /// - Throws: ``RecipeDiagnostics`` for a definition that cannot be used.
    public init(home: String?, repository: Repository?) throws {
        var byName = Dictionary(uniqueKeysWithValues: try Self.builtInEcosystems().map { ($0.name, $0) })
        var texts: [(file: String, text: String)] = []
        for path in OwnDefinitions.files("ecosystems", home: home) { texts.append((path, try Recipe.text(of: path))) }
        for file in repository?.files(matching: "\(Recipe.folderName)/ecosystems/*.yaml") ?? [] {
            if let source = repository?.text(file.path) { texts.append((file.path, source.text)) }
        }
        for (file, text) in texts.prefix(200) {
            let ecosystem = try Ecosystem.parse(text, file: file)
            byName[ecosystem.name] = ecosystem
        }
        ecosystems = byName.values.sorted { $0.name < $1.name }
    }

    private static func builtInEcosystems() throws -> [Ecosystem] {
        try known.withLock { known in
            if known.isEmpty { known = try builtIn.map { try Ecosystem.parse(String(decoding: $0.bytes, as: UTF8.self), file: "Ecosystems/\($0.name).yaml") } }
            return known
        }
    }
}
