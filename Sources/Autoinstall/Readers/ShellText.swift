/// A simple command of a shell script, as far as it can be told without running anything.
struct ShellCommand: Sendable {
    /// Without quotes, redirections, `sudo` and assignments in front.
    let words: [String]
    /// As it was written.
    let text: String
    /// From 1, in the file that the script stands in.
    let line: Int

    /// The program's name without its folder.
    var program: String { words.first?.split(separator: "/").last.map(String.init) ?? "" }
}

/// Shell scripts, taken apart into simple commands.
struct ShellText {
    let commands: [ShellCommand]
    /// Nothing but commands one after the other: any of them can be taken out.
    let isPlain: Bool

    /// - Parameter line: of the script's first line in its file.
    init(_ script: String, line: Int) {
        var scanner = ShellScanner(script, line: line)
        scanner.run()
        (commands, isPlain) = (scanner.commands, scanner.isPlain)
    }
}

/// Goes through a script once, letter by letter. Source: POSIX.1-2017, Shell Command Language, 2.2 to 2.7.
private struct ShellScanner {
    private(set) var commands: [ShellCommand] = []
    private(set) var isPlain = true

    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var line: Int
    private var start: Int
    private var word: String?
    private var words: [String] = []
    private var text = ""
    /// The next word is a redirection's file.
    private var skipsNext = false
    /// Of here-documents that begin with the next line.
    private var endings: [String] = []

    private static let limit = 2000
    private static let keywords: Set = [
        "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "{", "}", "function", "!", "[[",
    ]
    private static let wrappers: Set = ["sudo", "exec", "env", "command", "time", "nice", "then", "do", "else", "!", "xvfb-run"]
    private static let assignment = Pattern(known: #"^[A-Za-z_]\w*=[^=]?"#)

    init(_ script: String, line: Int) { (scalars, self.line, start) = (Array(script.unicodeScalars), line, line) }

    private var next: Unicode.Scalar { at + 1 < scalars.count ? scalars[at + 1] : "\0" }

    mutating func run() {
        while at < scalars.count {
            if words.isEmpty, word == nil { start = line }
            step(scalars[at])
            at += 1
        }
        endCommand()
    }

    private mutating func step(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\\": escape()
        case "'", "\"": quoted(scalar)
        case "#" where word == nil: while at + 1 < scalars.count, next != "\n" { at += 1 }
        case "\n":
            line += 1
            endCommand()
            passDocuments()
        case "<" where next == "<": document()
        case ">", "<": redirection(scalar)
        case "&" where next == ">":
            text += "&>"
            at += 1
            skipsNext = true
        case "|":
            isPlain = false
            if next == "|" { at += 1 }
            endCommand()
        case "&":
            if next == "&" { at += 1 } else { isPlain = false }
            endCommand()
        case ";": endCommand()
        case " ", "\t", "\r":
            text.unicodeScalars.append(scalar)
            endWord()
        default: append(scalar)
        }
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        text.unicodeScalars.append(scalar)
        word = (word ?? "") + String(scalar)
    }

    private mutating func escape() {
        if next == "\n" {
            // A line that goes on.
            line += 1
            text += " "
            endWord()
        } else {
            text += "\\"
            if at + 1 < scalars.count { append(next) }
        }
        at += 1
    }

    private mutating func quoted(_ quote: Unicode.Scalar) {
        text.unicodeScalars.append(quote)
        var inside = String.UnicodeScalarView()
        at += 1
        while at < scalars.count, scalars[at] != quote {
            if scalars[at] == "\\", quote == "\"", at + 1 < scalars.count {
                text.unicodeScalars.append(scalars[at])
                at += 1
            }
            if scalars[at] == "\n" { line += 1 }
            inside.append(scalars[at])
            text.unicodeScalars.append(scalars[at])
            at += 1
        }
        text.unicodeScalars.append(quote)
        word = (word ?? "") + String(inside)
    }

    private mutating func redirection(_ scalar: Unicode.Scalar) {
        // A number before it is of the redirection; the file after it is no word.
        if let own = word, !own.isEmpty, own.allSatisfy(\.isNumber) { word = nil } else { endWord() }
        text.unicodeScalars.append(scalar)
        if next == ">" || next == "&" {
            at += 1
            text.unicodeScalars.append(scalars[at])
        }
        skipsNext = true
    }

    private mutating func document() {
        isPlain = false
        at += 2
        if at < scalars.count, scalars[at] == "-" { at += 1 }
        var ending = String.UnicodeScalarView()
        while at < scalars.count, !scalars[at].properties.isWhitespace, !";|&<>".unicodeScalars.contains(scalars[at]) {
            if scalars[at] != "'" && scalars[at] != "\"" { ending.append(scalars[at]) }
            at += 1
        }
        at -= 1
        if !ending.isEmpty { endings.append(String(ending)) }
    }

    /// What stands in a here-document is not commands.
    private mutating func passDocuments() {
        for ending in endings {
            while at + 1 < scalars.count {
                var body = String.UnicodeScalarView()
                while at + 1 < scalars.count, next != "\n" {
                    at += 1
                    body.append(scalars[at])
                }
                if at + 1 < scalars.count { at += 1 }
                line += 1
                if String(body).trimmingSpaces == ending { break }
            }
        }
        endings = []
    }

    private mutating func endWord() {
        if let finished = word {
            if skipsNext { skipsNext = false } else { words.append(finished) }
        }
        word = nil
    }

    private mutating func endCommand() {
        endWord()
        if let first = words.first, Self.keywords.contains(first) || first.hasPrefix("(") { isPlain = false }
        let own = Self.bare(words)
        if !own.isEmpty, commands.count < Self.limit { commands.append(ShellCommand(words: own, text: text.trimmingSpaces, line: start)) }
        (words, text, skipsNext) = ([], "", false)
    }

    /// Without what stands in front of the command itself.
    private static func bare(_ words: [String]) -> [String] {
        var words = words[...]
        while let first = words.first {
            if assignment.isFound(in: first) {
                words = words.dropFirst()
            } else if wrappers.contains(first) {
                words = words.dropFirst()
                // `sudo -E`.
                while let option = words.first, option.hasPrefix("-"), ["sudo", "env", "xvfb-run"].contains(first) { words = words.dropFirst() }
            } else {
                break
            }
        }
        if let first = words.first, keywords.contains(first) || first.hasPrefix("(") { return [] }
        return Array(words)
    }
}
