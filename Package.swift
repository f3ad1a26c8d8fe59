// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
    name: "terrine",
    products: [.executable(name: "terrine", targets: ["terrine"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // System libraries: module maps (and inline wrappers for what Swift cannot import), nothing else.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),
        .target(
            name: "ChunkStore",
            dependencies: [
                "CZstd", "Linux",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: strict),
        .target(
            name: "Images", dependencies: ["ChunkStore", "Linux", .product(name: "GRDB", package: "GRDB.swift")], swiftSettings: strict),
        .target(
            name: "Remotes",
            dependencies: ["CCurl", "ChunkStore", "Images", "Linux", "Yams", .product(name: "Crypto", package: "swift-crypto")],
            exclude: ["Remotes.md"], swiftSettings: strict),
        .target(name: "Disks", dependencies: ["ChunkStore", "Images", "Linux", "CLinux"], swiftSettings: strict),
        .target(name: "Trees", dependencies: ["ChunkStore", "Images", "Disks", "Linux"], swiftSettings: strict),
        .target(
            name: "Archives",
            dependencies: ["ChunkStore", "CLzma", "CZlib", "CZstd", "Linux", "Trees", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: strict),
        .target(
            name: "Recipes",
            dependencies: ["Yams", .product(name: "Crypto", package: "swift-crypto")],
            resources: [
                "apt.yaml", "cargo.yaml", "composer.yaml", "gem.yaml", "go.yaml", "maven.yaml", "npm.yaml", "pip.yaml", "pnpm.yaml", "poetry.yaml", "uv.yaml",
                "yarn.yaml", "first-start.sh", "normalise.sh",
            ].map { .embedInCode("Managers/\($0)") }, swiftSettings: strict),
        .target(
            name: "Autoinstall", dependencies: ["Builder", "ChunkStore", "Disks", "Images", "Linux", "Machines", "Recipes", "Remotes", "Yams"],
            resources: [
                "c-autotools.yaml", "c-make.yaml", "cpp-cmake.yaml", "d-dub.yaml", "dotnet.yaml", "elixir-mix.yaml", "erlang-rebar.yaml", "go.yaml",
                "haskell-cabal.yaml", "java-gradle.yaml", "java-maven.yaml", "lua.yaml", "make.yaml", "meson.yaml", "node.yaml", "ocaml-dune.yaml",
                "perl.yaml", "php-composer.yaml", "python.yaml", "r.yaml", "ruby.yaml", "rust.yaml", "shell.yaml", "swift.yaml", "tcl.yaml",
                "zig.yaml",
            ].map { .embedInCode("Ecosystems/\($0)") }
                + ["names.yaml", "natives.yaml", "services.yaml", "suites.yaml"].map { .embedInCode("Tables/\($0)") }
                + ["alternatives.yaml", "python-imports.txt"].map { .embedInCode("Knowledge/\($0)") }
                + ["build", "environment", "languages", "services", "tests"].map { .embedInCode("Diagnosis/diagnose-\($0).yaml") }
                + [.embedInCode("Diagnosis/test-plugins.yaml")],
            swiftSettings: strict),
        .target(
            name: "Machines", dependencies: ["ChunkStore", "Images", "Disks", "Linux", "CLinux"],
            swiftSettings: strict),
        .target(
            name: "Builder",
            dependencies: [
                "Archives", "ChunkStore", "Images", "Disks", "Machines", "Recipes", "Remotes", "Trees", "Linux", "CLinux",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            resources: ["bookworm", "bullseye", "trixie"].map { .embedInCode("Definitions/debian-\($0).yaml") }, swiftSettings: strict),
        .target(
            name: "Reports", dependencies: ["Builder", "ChunkStore", "Images", "Recipes", "Trees", "Linux"],
            resources: [.embedInCode("Licenses/spdx-ids.txt"), .embedInCode("Licenses/spdx-exceptions.txt")], swiftSettings: strict),
        .executableTarget(
            name: "terrine",
            dependencies: [
                "Archives", "Autoinstall", "Builder", "ChunkStore", "Images", "Disks", "Machines", "Recipes", "Remotes", "Reports", "Trees", "Linux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: strict,
            // At a fixed address: 98,000 relocations at every start of a position-independent program take longer than what it starts for.
            linkerSettings: [.unsafeFlags(["-Xclang-linker", "-no-pie"], .when(configuration: .release))]),

        // What tests share: damaged inputs, a registry, and a proxy that spoils what passes.
        .target(name: "TestSupport", dependencies: ["Linux"], path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "LinuxTests", dependencies: ["Linux"], swiftSettings: strict),
        .testTarget(name: "ChunkStoreTests", dependencies: ["ChunkStore", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "ImagesTests", dependencies: ["Images", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "DisksTests", dependencies: ["Disks", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "ArchivesTests", dependencies: ["Archives", "Linux", "TestSupport", "Trees"], swiftSettings: strict),
        .testTarget(name: "TreesTests", dependencies: ["ChunkStore", "Disks", "Trees", "Linux", "CLinux", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "RecipesTests", dependencies: ["Recipes", "TestSupport"], exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "AutoinstallTests", dependencies: ["Autoinstall", "Linux", "Recipes", "TestSupport"], exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(name: "MachinesTests", dependencies: ["Machines", "Linux", "Images", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "BuilderTests", dependencies: ["Archives", "Builder", "ChunkStore", "Images", "Linux", "Recipes"], swiftSettings: strict),
        .testTarget(
            name: "RemotesTests",
            dependencies: ["Remotes", "ChunkStore", "Images", "Linux", "TestSupport", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict),
        .testTarget(name: "ReportsTests", dependencies: ["Builder", "Reports", "Trees", "Linux", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "EndToEnd", dependencies: ["Autoinstall", "CLinux", "Disks", "Linux", "TestSupport"], path: "Tests/EndToEnd", exclude: ["Fixtures"],
            swiftSettings: strict),
    ]
)
