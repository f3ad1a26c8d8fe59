/// The shell scripts of package layers: a manager's own, with what all of them have around it. Run as root, with `/bin/sh -e`.
public struct PackageScript {
    /// Where a package step finds its input files: gone again when its script ends.
    static let inputFolder = "/tmp/terrine-inputs"
    /// Shared with the Builder while the script runs, and never on the disk: `lock`, `previous`, `gone`, `installed`.
    public static let exchange = "/dev/terrine/packages"
    /// Where a folder beside the recipe that is a registry is seen.
    public static func registryFolder(_ manager: String) -> String { "/dev/terrine/registries/\(manager)" }

    /// Words that scripts have from here.
    static let ownVariables: Set = ["work", "inputs", "exchange", "lock", "previous", "cache", "offline", "registry", "registry_folder", "project"]

    let request: Recipe.PackageRequest
    /// The workspace's folder in the machine.
    let workspace: String

    /// Where the project's files are in the machine.
    var projectFolder: String? {
        guard let project = request.project, let kind = request.manager.project else { return nil }
        let top = kind.place == .workspace ? workspace : Self.inputFolder
        return project == "." ? top : "\(top)/\(project)"
    }

    /// The same for every manager and request, so that a change of it counts in every key.
    static let common = functions + firstStart + normalise

    /// Installs exactly what `$lock` says, where the manager has a `resolve`.
    var install: String { script(request.manager.install) + listing + Self.firstStart + Self.normalise }

    /// Writes `$lock`. Its machine is thrown away; what it fetched stays in the cache. Nil where nothing but a project is asked for: that has a lock file.
    var resolve: String? { request.packages.isEmpty && request.files.isEmpty ? nil : request.manager.resolve.map(script) }

    private func script(_ body: String) -> String { variables + Self.functions + programs + (request.manager.functions ?? "") + "\n" + body + "\n" }

    private var variables: String {
        var lines = [
            "work=/tmp/terrine-work inputs=\(Self.inputFolder) exchange=\(Self.exchange)", "lock=$exchange/lock previous=$exchange/previous",
            "offline=${TERRINE_OFFLINE:-}", "cache=" + (request.manager.caches.first.map { "/dev/terrine/caches/\($0.name)" } ?? "$work/cache"),
            "project=" + Self.quoted(projectFolder ?? ""),
        ]
        for key in request.manager.keys {
            // Files by where they are in the machine, a line each.
            let values = request.values(key.name).map { key.kind == .files ? "\(Self.inputFolder)/\($0)" : $0 }
            lines.append("\(key.name)=" + Self.quoted(values.joined(separator: key.kind == .files ? "\n" : " ")))
        }
        if let registry = request.registry {
            let folder = Self.registryFolder(request.manager.name)
            lines.append(
                request.registryIsFolder ? "registry=file://\(folder) registry_folder=\(folder)" : "registry=\(Self.quoted(registry)) registry_folder=")
        } else {
            lines.append("registry=${TERRINE_REGISTRY:-} registry_folder=${TERRINE_REGISTRY_FOLDER:-}")
        }
        if let variable = request.manager.registryVariable { lines.append("[ -z \"$registry\" ] || export \(variable)=\"$registry\"") }
        for (name, value) in request.manager.offline.sorted(by: { $0.key < $1.key }) {
            lines.append("[ -z \"$offline\" ] || export \(name)=\(Self.quoted(value))")
        }
        lines.append("set -- " + request.packages.sorted().map(Self.quoted).joined(separator: " "))
        return "set -a\n" + lines.joined(separator: "\n") + "\nset +a\n"
    }

    private static let functions = """
        export LC_ALL=C.UTF-8 TZ=UTC HOME=/tmp/terrine-work/home PYTHONDONTWRITEBYTECODE=1
        # Tools that write down the day take this one.
        export SOURCE_DATE_EPOCH=1700000000
        umask 022
        rm -rf "$work"
        mkdir -p "$HOME"
        : > "$work/begun"
        terrine_end=
        # A command for the end, however that comes.
        at_end() { terrine_end="$terrine_end
        $1"; }
        trap 'terrine_status=$?; eval "$terrine_end"; rm -rf /tmp/terrine-work /tmp/terrine-inputs; exit $terrine_status' EXIT
        # Puts a file into the cache, whole or not at all: other builds use it too.
        keep() {
          terrine_new=$(mktemp "$cache/.new-XXXXXX")
          cp "$1" "$terrine_new"
          chmod 644 "$terrine_new"
          mv -f "$terrine_new" "$cache/$2"
        }
        # A locked package that cannot be had any more: name, version, what is there instead.
        gone() { printf '%s %s %s\\n' "$1" "$2" "$3" >> "$exchange/gone"; }

        """

    private var programs: String {
        let manager = request.manager
        let tests = manager.programs.map { "! command -v \($0) >/dev/null" }.joined(separator: " && ")
        let message = "terrine: packages.\(manager.name) needs \(manager.programs.joined(separator: " or "))" + (manager.provide.map { ": \($0)" } ?? "")
        return "if \(tests); then\n  echo \(Self.quoted(message)) >&2\n  exit 1\nfi\n"
    }

    private var listing: String { request.manager.list.map { "(\n\($0)\n) > \"$exchange/installed\"\n" } ?? "" }

    /// For the root of a file system that was just made from packages: takes away what each machine is to make for itself, and leaves scripts that do.
    public static let firstStartOfBase = """
        work=/tmp/terrine-work
        umask 022
        mkdir "$work"
        touch -d @0 "$work/begun"

        """ + firstStart + "rm -r \"$work\"\n"

    private static let firstStart = String(decoding: PackageResources.first_start_sh, as: UTF8.self)

    private static let normalise = String(decoding: PackageResources.normalise_sh, as: UTF8.self)

    /// A word for the shell.
    public static func quoted(_ text: String) -> String {
        text.wholeMatch(of: /[A-Za-z0-9._\/:=+@%,-]+/) != nil ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }

    /// The files that a file names by `options`, such as `-r more.txt`, `-rmore.txt` and `--requirement=more.txt`.
    static func includes(of text: String, options: [String]) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "=" })
            guard let first = words.first else { return nil }
            if options.contains(String(first)), words.count > 1 { return String(words[1]) }
            let short = options.first { !$0.hasPrefix("--") && first.hasPrefix($0) && first.count > $0.count && !first.hasPrefix("--") }
            return short.map { String(first.dropFirst($0.count)) }
        }
    }
}
