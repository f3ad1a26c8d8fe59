/// What someone looks for, as the index of packages has it.
public struct KnowledgeKey: Hashable, Sendable, CustomStringConvertible {
    /// The letter is the first byte of a key in the index; it never changes its meaning.
    public enum Kind: UInt8, CaseIterable, Sendable {
        /// A program that `PATH` finds: `psql`.
        case command = 0x63
        /// A program that it does not find, by its name: `initdb` of `/usr/lib/postgresql/15/bin`.
        case program = 0x62
        /// A header by its path, the name first: `ssl.h/openssl`.
        case header = 0x68
        /// A library by its file: `libpq.so.5`, `libpq.so`, `libpq.a`.
        case library = 0x6C
        /// `libxml-2.0` of `libxml-2.0.pc`.
        case pkgConfig = 0x70
        /// `fmt` of `fmt-config.cmake` or `FmtConfig.cmake`: in small letters.
        case cmake = 0x6D
        /// `libpq` of `FindLibpq.cmake`, in small letters: it looks for a library, and is none.
        case cmakeFinder = 0x46
        /// `JSON::XS`.
        case perl = 0x50
        /// `yaml`, `google.protobuf`.
        case python = 0x79
        /// The same of Python 2.
        case python2 = 0x59
        /// A distribution's normalised name: `pyyaml`.
        case pythonDistribution = 0x44
        /// What `require` takes: `active_support/core_ext`.
        case ruby = 0x72
        case gem = 0x67
        /// `socket.http`.
        case lua = 0x75
        case tcl = 0x74
        /// `@types/node`, `express`.
        case node = 0x6E
        case r = 0x52
        /// A package as ghc-pkg names it.
        case haskell = 0x48
        /// A findlib name.
        case ocaml = 0x6F
        /// `group:artifact`.
        case maven = 0x6A
        /// A jar's name without version.
        case jar = 0x4A
        case crate = 0x71
        /// A Go import path.
        case go = 0x47
        /// `mbstring`.
        case php = 0x78
        case erlang = 0x65
        /// `Gtk-3.0`.
        case typelib = 0x54
        case vapi = 0x76
        /// An m4 file of aclocal's, in small letters: `ax_cxx_compile_stdcxx`.
        case aclocal = 0x61
        /// A file by its whole path, of the few places that are kept so.
        case file = 0x66
    }

    public let kind: Kind
    public let name: String

    public init(_ kind: Kind, _ name: String) { (self.kind, self.name) = (kind, name) }

    /// A header as `#include` names it.
    public static func header(_ path: some StringProtocol) -> KnowledgeKey {
        KnowledgeKey(.header, path.split(separator: "/").reversed().joined(separator: "/"))
    }

    var bytes: [UInt8] { [kind.rawValue] + Array(name.utf8) }

    public var description: String { "\(kind) \(name)" }
}
