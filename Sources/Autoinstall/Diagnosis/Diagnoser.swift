/// Says what a failure shows to be missing.
///
/// Pure: the same failure, the same answer, without the network or the machine. An implementation tells only what it has a line, a path or an exit code for.
public protocol Diagnoser: Sendable {
    func findings(in failure: Failure) -> [Lack]
}

/// All diagnosers together: what a failure lacks, each thing once, in the order in which it is worth mending.
public struct Diagnosis: Diagnoser {
    public let diagnosers: [any Diagnoser]

    public init(_ diagnosers: [any Diagnoser]) { self.diagnosers = diagnosers }

    /// - Parameter home: TERRINE_HOME, whose `diagnosers` count too.
    public init(home: String? = nil) throws { self.init([try DiagnosisRules(home: home), TraceDiagnoser(), ExitDiagnoser(), MochaDiagnoser()]) }

    public func findings(in failure: Failure) -> [Lack] { Self.ordered(diagnosers.flatMap { $0.findings(in: failure) }.map(Self.refined)) }

    private struct Same: Hashable {
        let kind: Lack.Kind
        let subject: String
        let language: String?
    }

    /// Of lacks of one thing the most certain, of those the first; then by certainty, kind and place.
    static func ordered(_ lacks: [Lack]) -> [Lack] {
        var best: [Same: Lack] = [:]
        for lack in lacks {
            let same = Same(kind: lack.kind, subject: lack.subject, language: lack.language)
            guard let known = best[same] else {
                best[same] = lack
                continue
            }
            // A version that is asked for is worth more than none; what is in the output goes before what was only seen at the kernel.
            let isBetter = (lack.confidence, lack.detail == nil ? 0 : 1, -place(lack)) > (known.confidence, known.detail == nil ? 0 : 1, -place(known))
            if isBetter { best[same] = lack }
        }
        let ranks = Dictionary(uniqueKeysWithValues: Lack.Kind.allCases.enumerated().map { ($0.element, $0.offset) })
        return withoutConsequences(Array(best.values)).sorted { a, b in
            let (doubtA, doubtB) = (a.confidence == .possible ? 1 : 0, b.confidence == .possible ? 1 : 0)
            // Tests come last however sure it is that they fail.
            let (testA, testB) = (a.kind == .failingTest ? 1 : 0, b.kind == .failingTest ? 1 : 0)
            return (testA, doubtA, ranks[a.kind] ?? 0, place(a), a.subject) < (testB, doubtB, ranks[b.kind] ?? 0, place(b), b.subject)
        }
    }

    private static func place(_ lack: Lack) -> Int { lack.line == 0 ? .max / 2 : lack.line }

    /// What follows from something else that is told is not told: a full disk fails every write, and a package that cannot be fetched is not found.
    private static func withoutConsequences(_ lacks: [Lack]) -> [Lack] {
        let kinds = Set(lacks.filter { $0.confidence > .possible }.map(\.kind))
        let specific: Set<Lack.Kind> = [.command, .compiler, .package, .pkgConfig, .cmake, .header, .linkLibrary, .sharedLibrary]
        var names = Set(lacks.filter { specific.contains($0.kind) }.map { $0.subject.lowercased() })
        names.formUnion(lacks.filter { $0.kind == .linkLibrary }.map { "lib" + $0.subject.lowercased() })
        let compilers = Set(lacks.filter { $0.kind == .compiler }.map(\.subject))
        return lacks.filter { lack in
            switch lack.kind {
            case .requirement: !(lack.confidence == .possible && (kinds.contains(.network) || kinds.contains(.certificates) || kinds.contains(.version)))
            case .command: !compilers.contains(lack.subject)
            case .nativeBuild: kinds.isDisjoint(with: specific)
            case .dependency: !names.contains(lack.subject.lowercased())
            case .disk: !(lack.confidence < .certain && (kinds.contains(.sharedMemory) || kinds.contains(.inotify)))
            case .network: !(lack.confidence == .possible && kinds.contains(.certificates))
            case .file: !names.contains(lack.subject.split(separator: "/").last.map { $0.lowercased() } ?? "")
            default: true
            }
        }
    }

    private static let secretWords = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"]

    /// What needs no knowledge of the outside, and no rule can say.
    private static func refined(_ lack: Lack) -> Lack {
        var lack = lack
        switch (lack.kind, lack.language) {
        case (.variable, _) where lack.detail == nil && secretWords.contains(where: lack.subject.uppercased().contains): lack.kind = .secret
        case (.module, "node"):
            // `@scope/name/file` is of the package `@scope/name`.
            let names = lack.subject.split(separator: "/")
            lack.subject = names.prefix(lack.subject.hasPrefix("@") ? 2 : 1).joined(separator: "/")
        case (.module, "haskell"): lack.subject = RemedyPlanner.bare(lack.subject)
        case (.module, "perl"): lack.subject = lack.subject.replacing("/", with: "::")
        case (.pkgConfig, _):
            let name = RemedyPlanner.bare(lack.subject)
            if name.count < lack.subject.count { (lack.subject, lack.detail) = (name, lack.subject.dropFirst(name.count).trimmingSpaces) }
        case (.testPlugin, _):
            if let name = TestPlugins.distribution(for: lack.subject) { lack.subject = name } else { lack.confidence = .possible }
        case (.service, _): if lack.subject.hasPrefix("port "), let name = ServicePorts.names[String(lack.subject.dropFirst(5))] { lack.subject = name }
        default: break
        }
        return lack
    }
}

/// Which service answers at a port, by custom.
enum ServicePorts {
    static let names = [
        "5432": "postgresql", "5433": "postgresql", "6379": "redis", "3306": "mariadb", "33060": "mariadb", "11211": "memcached", "5672": "rabbitmq",
        "15672": "rabbitmq", "27017": "mongodb", "9200": "elasticsearch", "9092": "kafka", "25": "smtp", "587": "smtp", "1025": "smtp", "389": "ldap",
        "1883": "mosquitto", "4222": "nats", "9000": "s3", "4566": "s3", "1433": "mssql", "2379": "etcd", "8500": "consul", "2181": "zookeeper",
        "9042": "cassandra", "8125": "statsd", "4444": "selenium", "8123": "clickhouse", "7687": "neo4j", "8086": "influxdb",
    ]
}
