/// A Dockerfile's instructions, with continuations joined and here-documents taken along.
///
/// Source: the Dockerfile reference (parser directives, line continuation, here-documents).
struct DockerfileText {
    struct Instruction: Sendable {
        /// In capitals.
        let name: String
        /// Lines that go on are one; of `RUN` they are as the shell has them, `\\` and a line break.
        let arguments: String
        /// From 1.
        let line: Int
        /// Of `RUN <<EOF` and `COPY <<EOF`.
        let documents: [String]
    }

    let instructions: [Instruction]

    private static let directive = Pattern(known: #"(?i)^#\s*escape\s*=\s*(\S)"#)
    private static let document = Pattern(known: #"<<-?\s*["']?([A-Za-z_]\w*)["']?"#)

    init(_ source: SourceText) {
        var instructions: [Instruction] = []
        var escape: Character = "\\"
        var number = 1
        var isHead = true
        while number <= source.lineCount, instructions.count < 1000 {
            let first = source.line(number)
            if isHead, let sign = Self.directive.firstMatch(first)?[1]?.first { escape = sign }
            if !first.trimmingSpaces.hasPrefix("#") { isHead = false }
            let start = number
            var text = ""
            while number <= source.lineCount {
                let line = source.line(number)
                number += 1
                // Comments and empty lines within an instruction are no part of it.
                if line.trimmingSpaces.hasPrefix("#") || (line.trimmingSpaces.isEmpty && !text.isEmpty) {
                    if text.isEmpty { break }
                    continue
                }
                var kept = Substring(line)
                while kept.last == " " || kept.last == "\t" { kept.removeLast() }
                guard kept.last == escape else {
                    text += line
                    break
                }
                text += kept.dropLast() + "\\\n"
            }
            let trimmed = text.trimmingSpaces
            guard let space = trimmed.firstIndex(where: { $0.isWhitespace }) else { continue }
            let name = trimmed[..<space].uppercased()
            let written = trimmed[space...].trimmingSpaces
            let arguments = name == "RUN" ? written : written.replacing("\\\n", with: " ")
            var documents: [String] = []
            if ["RUN", "COPY", "ADD"].contains(name), arguments.contains("<<") {
                for match in SourceText(path: "", text: arguments).matches(Self.document) {
                    var lines: [String] = []
                    while number <= source.lineCount {
                        let line = source.line(number)
                        number += 1
                        if line.trimmingSpaces == match.groups[1] { break }
                        lines.append(line)
                    }
                    documents.append(lines.joined(separator: "\n"))
                }
            }
            instructions.append(Instruction(name: name, arguments: arguments, line: start, documents: documents))
        }
        self.instructions = instructions
    }
}
