import Recipes

/// What Terrine knows of one kind of project: a file `Ecosystems/NAME.yaml`, checked.
///
/// Ecosystems are data, so that a user adds one without touching this program; `Docs/autoinstall.md` says how.
public struct Ecosystem: Hashable, Sendable {
    /// Which files, and which lines of them.
    public struct Selector: Hashable, Sendable {
        /// A glob from the project's folder.
        public internal(set) var file: String
        /// What a line must match; nil: the file is enough.
        public internal(set) var content: Pattern?
        /// Only lines after one that matches this, and before the next that matches ``until``.
        public internal(set) var after: Pattern?
        public internal(set) var until: Pattern?
    }

    /// When a part counts: any of `any` is there (if there are some), and none of `none`.
    public struct Condition: Hashable, Sendable {
        public internal(set) var any: [Selector] = []
        public internal(set) var none: [Selector] = []
    }

    public struct VersionReader: Hashable, Sendable {
        public internal(set) var selector: Selector
        public internal(set) var bare = VersionConstraint.Bare.exact
        /// What it means, with `${1}`; nil: the first group.
        public internal(set) var value: String?
    }

    /// Packages by manager.
    public struct PackageSet: Hashable, Sendable {
        public internal(set) var packages: [String: [String]] = [:]
        public internal(set) var condition = Condition()
    }

    /// How a manager installs what the project names.
    public struct Install: Hashable, Sendable {
        public enum What: Hashable, Sendable {
            /// Files for a key of the manager, such as pip's `requirements`.
            case files(key: String, glob: String, unlessLine: Pattern?)
            /// The folder of this lock file is a project of the manager.
            case project(lock: String)
        }
        public internal(set) var manager: String
        public internal(set) var what: What
        public internal(set) var condition = Condition()
    }

    public struct Step: Hashable, Sendable {
        public internal(set) var name: String
        public internal(set) var run: String
        public internal(set) var inputs: [String]?
        public internal(set) var caches: [String] = []
        public internal(set) var condition = Condition()
        /// One for the first match, whose groups `run` can name.
        public internal(set) var each: Selector?
    }

    public struct Command: Hashable, Sendable {
        public internal(set) var kind: Goal.Kind
        public internal(set) var run: String
        /// In a recipe; nil: what it runs.
        public internal(set) var name: String?
        public internal(set) var runner: TestSummary.Runner?
        public internal(set) var exit: Int32 = 0
        public internal(set) var pattern: String?
        public internal(set) var rank: Int
        public internal(set) var packages: [String: [String]] = [:]
        public internal(set) var condition = Condition()
        /// One for each match.
        public internal(set) var each: Selector?
    }

    public internal(set) var name = ""
    public internal(set) var description: String?
    /// In the table of suites.
    public internal(set) var language: String?
    public internal(set) var buildSystem: String?
    /// What it builds lies among the sources, where another build system may find it.
    public internal(set) var isInSources = false
    public internal(set) var detect: [Selector] = []
    /// Without any of ``detect``: so many files of this glob.
    public internal(set) var guess: (glob: String, least: Int)? {
        get { guessGlob.map { ($0, guessLeast) } }
        set { (guessGlob, guessLeast) = (newValue?.glob, newValue?.least ?? 1) }
    }
    private var guessGlob: String?
    private var guessLeast = 1
    public internal(set) var versions: [VersionReader] = []
    public internal(set) var packages: [PackageSet] = []
    public internal(set) var installs: [Install] = []
    public internal(set) var env: [String: String] = [:]
    public internal(set) var steps: [Step] = []
    /// Commands that all this does already, when an environment format says them too.
    public internal(set) var covers: [Pattern] = []
    /// Goals, the runners of tests first.
    public internal(set) var commands: [Command] = []

    /// Reads a definition.
    ///
    /// - Parameter file: its name for diagnostics.
    /// - Throws: ``RecipeDiagnostics`` with every problem, each with its line.
    public static func parse(_ text: String, file: String) throws -> Ecosystem {
        let source = RecipeSource(file: file, text: text)
        let decoder = RecipeDecoder(source)
        let ecosystem = decoder.ecosystem(try source.root())
        if decoder.hasErrors { throw RecipeDiagnostics(decoder.sorted) }
        return ecosystem
    }
}
