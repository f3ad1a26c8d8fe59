/// Python modules and the distributions that have them, where the two are not of one name.
enum ImportNames {
    /// Docs/knowledge.md says how the list was made.
    private static let known: [String: String] = {
        var names: [String: String] = [:]
        for line in String(decoding: PackageResources.python_imports_txt, as: UTF8.self).split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            if words.count == 2 { names[String(words[0])] = String(words[1]) }
        }
        return names
    }()

    static let standardLibrary: Set<String> = [
        "abc", "argparse", "ast", "asyncio", "base64", "bz2", "collections", "configparser", "contextlib", "copy", "csv", "ctypes", "curses", "datetime",
        "dbm", "decimal", "difflib", "dis", "distutils", "email", "ensurepip", "enum", "errno", "fcntl", "fractions", "functools", "gc", "getpass", "gettext",
        "glob", "grp", "gzip", "hashlib", "heapq", "hmac", "html", "http", "idlelib", "imaplib", "imp", "importlib", "inspect", "io", "ipaddress", "itertools",
        "json", "lib2to3", "locale", "logging", "lzma", "mailbox", "math", "mimetypes", "mmap", "multiprocessing", "netrc", "operator", "os", "pathlib",
        "pdb", "pickle", "pkgutil", "platform", "plistlib", "pprint", "profile", "pty", "pwd", "queue", "random", "re", "readline", "resource", "runpy",
        "sched", "secrets", "select", "shelve", "shlex", "shutil", "signal", "site", "smtplib", "socket", "sqlite3", "ssl", "stat", "statistics", "string",
        "struct", "subprocess", "sys", "sysconfig", "tarfile", "tempfile", "termios", "test", "textwrap", "threading", "time", "timeit", "tkinter",
        "token", "tokenize", "tomllib", "trace", "traceback", "turtle", "types", "typing", "unicodedata", "unittest", "urllib", "uuid", "venv", "warnings",
        "wave", "weakref", "webbrowser", "xml", "xmlrpc", "zipfile", "zipimport", "zlib", "zoneinfo", "_bz2", "_ctypes", "_curses", "_lzma", "_sqlite3",
        "_ssl", "_tkinter", "_dbm", "_gdbm", "_uuid",
    ]

    /// What was in the standard library once: a program that wants it was written for an older interpreter, and the first later one lacks it.
    static let removed: [String: String] = [
        "asynchat": "3.12", "asyncore": "3.12", "distutils": "3.12", "imp": "3.12", "smtpd": "3.12", "aifc": "3.13", "audioop": "3.13", "cgi": "3.13",
        "cgitb": "3.13", "chunk": "3.13", "crypt": "3.13", "imghdr": "3.13", "lib2to3": "3.13", "mailcap": "3.13", "msilib": "3.13", "nis": "3.13",
        "nntplib": "3.13", "ossaudiodev": "3.13", "pipes": "3.13", "sndhdr": "3.13", "spwd": "3.13", "sunau": "3.13", "telnetlib": "3.13", "uu": "3.13",
        "xdrlib": "3.13", "binhex": "3.11", "formatter": "3.10", "parser": "3.10", "symbol": "3.10",
        // Python 2's.
        "ConfigParser": "3.0", "Queue": "3.0", "StringIO": "3.0", "cPickle": "3.0", "cStringIO": "3.0", "httplib": "3.0", "urllib2": "3.0", "urlparse": "3.0",
        "commands": "3.0", "HTMLParser": "3.0", "SocketServer": "3.0", "BaseHTTPServer": "3.0", "Tkinter": "3.0", "xmlrpclib": "3.0", "cookielib": "3.0",
        "__builtin__": "3.0", "exceptions": "3.0", "md5": "3.0", "sets": "3.0", "thread": "3.0",
    ]

    /// The distribution of a module; by rule its own name.
    static func distribution(of module: String) -> String {
        let parts = module.split(separator: ".")
        for count in stride(from: parts.count, to: 0, by: -1) {
            if let name = known[parts.prefix(count).joined(separator: ".")] { return name }
        }
        return normalised(String(parts.first ?? ""))
    }

    static func isListed(_ module: String) -> Bool { known[module] != nil }

    /// PEP 503: `Flask_SQLAlchemy` is `flask-sqlalchemy`.
    static func normalised(_ name: String) -> String {
        var out = ""
        for character in name.lowercased() {
            if "-_.".contains(character) {
                if out.last != "-" { out.append("-") }
            } else {
                out.append(character)
            }
        }
        return out
    }
}
