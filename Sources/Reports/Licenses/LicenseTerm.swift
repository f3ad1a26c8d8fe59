/// A licence expression of SPDX, over identifiers of its list and texts that a package brings.
///
/// Source: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
indirect enum LicenseTerm: Hashable {
    case listed(String)
    case listedWith(String, exception: String)
    case own(OwnLicense)
    case all([LicenseTerm])
    case any([LicenseTerm])

    /// One term of both kinds is the term itself; equal ones count once.
    static func all(of terms: [LicenseTerm]) -> LicenseTerm { combined(terms, LicenseTerm.all) { if case .all(let inner) = $0 { inner } else { nil } } }
    static func any(of terms: [LicenseTerm]) -> LicenseTerm { combined(terms, LicenseTerm.any) { if case .any(let inner) = $0 { inner } else { nil } } }

    private static func combined(_ terms: [LicenseTerm], _ make: ([LicenseTerm]) -> LicenseTerm, _ inner: (LicenseTerm) -> [LicenseTerm]?) -> LicenseTerm {
        var seen: Set<LicenseTerm> = []
        let flat = terms.flatMap { inner($0) ?? [$0] }.filter { seen.insert($0).inserted }
        return flat.count == 1 ? flat[0] : make(flat)
    }

    /// As SPDX writes it.
    var text: String {
        switch self {
        case .listed(let id): id
        case .listedWith(let id, let exception): "\(id) WITH \(exception)"
        case .own(let license): license.reference
        case .all(let terms): terms.map { if case .any = $0 { "(\($0.text))" } else { $0.text } }.joined(separator: " AND ")
        case .any(let terms): terms.map { if case .all = $0 { "(\($0.text))" } else { $0.text } }.joined(separator: " OR ")
        }
    }

    /// The licences of no list that are in it.
    var own: Set<OwnLicense> {
        switch self {
        case .listed, .listedWith: []
        case .own(let license): [license]
        case .all(let terms), .any(let terms): terms.reduce(into: []) { $0.formUnion($1.own) }
        }
    }
}
