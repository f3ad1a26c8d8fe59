/// What stands in for a language's registry that cannot be reached.
extension RemedyPlanner {
    struct Replacement {
        let remedy: Remedy
        /// The registry's own client works with it; else what only fetches cannot.
        let isForClient: Bool
    }

    /// What the distribution has of all that the repository's manifests ask for, and how it is found; nil where it has no place for such packages.
    func distribution(insteadOf registry: Registry, for lack: Lack) -> Replacement? {
        let patches: [RecipePatch]
        var isForClient = true
        switch registry {
        case .go where context.has("go.mod"):
            patches =
                packages(declared: "go") + [
                    .step(name: "modules of the distribution", run: Self.goModules),
                    .variable(name: "GOFLAGS", value: "-modfile=/opt/go-modules/go.mod -mod=mod"), .variable(name: "GOPROXY", value: "off"),
                ]
        case .hackage:
            patches =
                packages(declared: "haskell") + [
                    .step(name: "packages of the distribution", run: Self.cabalPackages), .variable(name: "CABAL_CONFIG", value: "/opt/cabal/config"),
                ]
        case .crates where context.has("Cargo.toml"):
            patches = packages(declared: "rust") + [.step(name: "crates of the distribution", run: Self.crates)]
        case .npm:
            isForClient = false
            patches = packages(declared: "node") + [.variable(name: "NODE_PATH", value: "/usr/share/nodejs:/usr/lib/nodejs")]
        case .rubygems:
            isForClient = false
            patches = packages(declared: "ruby")
        case .cpan:
            isForClient = false
            patches = packages(declared: "perl")
        case .maven:
            isForClient = false
            patches = packages(declared: "java")
        default: return nil
        }
        let reason = "\(registry) cannot be reached, the distribution stands in: \(lack.evidence)"
        return Replacement(remedy: Remedy(lack, .distribution, patches, reason), isForClient: isForClient)
    }

    /// The best owner of each declared name that the distribution has.
    private func packages(declared language: String) -> [RecipePatch] {
        let names = (context.declared[language] ?? [:]).keys.sorted()
        let found = names.compactMap { packages.packages(forModule: $0, language: language).first }
        return Set(found).sorted().map { .package(manager: "apt", name: $0) }
    }

    /// A `go.mod` beside the repository's own, in which every module is a folder: the distribution has one version of each, whichever is asked for.
    ///
    /// What no package has is an empty module, so that only what imports it fails. The manifests of packaged modules are replaced by ones that ask for nothing:
    /// their imports are found among the folders.
    private static let goModules = #"""
        modules=/opt/go-modules sources=/usr/share/gocode/src
        mkdir -p "$modules/src" "$sources"
        cp go.mod "$modules/go.mod"
        own=$(awk '$1 == "module" { print $2; exit }' go.mod)
        wanted=$(awk '$1 == "require" && $2 != "(" { print $2 }
          $1 == "require" && $2 == "(" { inside = 1; next } $1 == ")" { inside = 0 } inside && $2 ~ /^v/ { print $1 }' go.mod)
        packaged=$(cd "$sources" && { find . -name go.mod -printf '%h\n'
          find . -mindepth 3 -maxdepth 3 -type d | while read -r folder; do
            [ -e "$folder/go.mod" ] || [ -e "${folder%/*}/go.mod" ] || echo "$folder"
          done; } | sed 's|^\./||')
        for module in $(printf '%s\n' $wanted $packaged | sort -u); do
          [ "$module" != "$own" ] || continue
          ! grep -q "^\(replace\)\?[[:space:]]*$module .*=>" go.mod || continue
          folder=$modules/src/$module language=1.17
          mkdir -p "$folder"
          [ ! -d "$sources/$module" ] || cp -rL "$sources/$module/." "$folder"
          if [ -e "$folder/go.mod" ]; then language=$(awk '$1 == "go" { print $2 }' "$folder/go.mod"); fi
          printf 'module %s\n\ngo %s\n' "$module" "${language:-1.17}" > "$folder/go.mod"
          go mod edit -replace="$module=$folder" "$modules/go.mod"
        done
        chmod -R a+rwX "$modules"

        """#

    /// A repository of no packages: Cabal then takes those that the compiler has, which the distribution's are.
    private static let cabalPackages = #"""
        mkdir -p /opt/cabal/packages
        printf 'repository distribution\n  url: file+noindex:///opt/cabal/packages\n\nremote-repo-cache: /opt/cabal/cache\n' > /opt/cabal/config
        chmod -R a+rwX /opt/cabal

        """#

    /// A lock names versions that the distribution does not have. Cargo looks for its settings in every folder above the repository.
    private static let crates = #"""
        rm -f Cargo.lock
        mkdir -p /.cargo
        printf '[source.crates-io]\nreplace-with = "distribution"\n\n[source.distribution]\ndirectory = "/usr/share/cargo/registry"\n' > /.cargo/config.toml
        mkdir -p /usr/share/cargo/registry

        """#
}
