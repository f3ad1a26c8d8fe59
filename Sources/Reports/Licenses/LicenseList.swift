import Foundation

/// Identifiers of SPDX's licence list, and what else these licences are called.
///
/// The list: https://spdx.org/licenses/, without the identifiers that it gives up (`GPL-2.0+`); other names are mapped to those that took their places.
enum LicenseList {
    private static let ids = table(PackageResources.spdx_ids_txt)
    private static let exceptions = table(PackageResources.spdx_exceptions_txt)

    /// By the identifier in small letters.
    private static func table(_ bytes: [UInt8]) -> [String: String] {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        return Dictionary(lines.map { ($0.lowercased(), $0) }) { first, _ in first }
    }

    static func exception(_ name: String) -> String? { exceptions[name.lowercased()] }

    /// The identifier of what is called `name`; nil for what is not on the list, or may be one of several.
    static func id(_ name: String, debian: Bool = false) -> String? {
        let name = name.lowercased()
        if debian, let id = debianNames[name] { return id }
        return ids[name] ?? names[name] ?? gnu(name)
    }

    /// `gpl-2+`, `LGPL-2.1`, `GPLv3+`, `GPL-2.0-or-later`.
    private static func gnu(_ name: String) -> String? {
        guard let match = name.wholeMatch(of: /(a|l)?gpl[ -]?v?([123](?:\.[01])?)(\+| or later|-or-later|-only)?/) else { return nil }
        let family = (match.1.map(String.init) ?? "").uppercased() + "GPL"
        let version = match.2.contains(".") ? String(match.2) : match.2 + ".0"
        let ending = match.3 == nil || match.3 == "-only" ? "only" : "or-later"
        return ids["\(family)-\(version)-\(ending)".lowercased()]
    }

    /// Names of the machine-readable copyright format that are not SPDX's, or mean something else there.
    private static let debianNames = [
        "expat": "MIT", "artistic": "Artistic-1.0-Perl", "apache-2": "Apache-2.0", "bsl": "BSL-1.0", "cc0": "CC0-1.0", "zlib/libpng": "Zlib",
        "python": "Python-2.0", "psf": "PSF-2.0", "psf-2": "PSF-2.0", "mpl-1.1": "MPL-1.1", "mpl-2": "MPL-2.0", "ofl-1.1": "OFL-1.1", "x11": "X11",
        "bsd-3-clause-regents": "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause", "bsd 2-clause": "BSD-2-Clause", "gfdl-1.2+": "GFDL-1.2-or-later",
        "gfdl-1.3+": "GFDL-1.3-or-later", "gfdl-niv-1.2+": "GFDL-1.2-no-invariants-or-later", "gfdl-niv-1.3+": "GFDL-1.3-no-invariants-or-later",
    ]

    /// Names of Python's classifiers, and others that many write.
    private static let names = [
        "mit license": "MIT", "the mit license": "MIT", "mit-license": "MIT", "mit/x11": "MIT", "apache 2.0": "Apache-2.0", "apache 2": "Apache-2.0",
        "apache license 2.0": "Apache-2.0", "apache license, version 2.0": "Apache-2.0", "apache license version 2.0": "Apache-2.0",
        "apache-2.0 license": "Apache-2.0", "isc license": "ISC", "isc license (iscl)": "ISC", "bsd-3-clause license": "BSD-3-Clause",
        "bsd 3-clause": "BSD-3-Clause", "bsd 3-clause license": "BSD-3-Clause", "3-clause bsd license": "BSD-3-Clause", "new bsd": "BSD-3-Clause",
        "bsd 2-clause": "BSD-2-Clause", "bsd 2-clause license": "BSD-2-Clause", "simplified bsd": "BSD-2-Clause",
        "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0", "mpl 2.0": "MPL-2.0", "python software foundation license": "PSF-2.0",
        "the unlicense (unlicense)": "Unlicense", "gnu general public license v2 (gplv2)": "GPL-2.0-only",
        "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later", "gnu general public license v3 (gplv3)": "GPL-3.0-only",
        "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
        "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.0-or-later", "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
        "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
        "gnu affero general public license v3": "AGPL-3.0-only", "gnu affero general public license v3 or later (agplv3+)": "AGPL-3.0-or-later",
    ]
}
