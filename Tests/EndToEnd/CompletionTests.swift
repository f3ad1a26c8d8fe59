import Foundation
import Linux
import Testing

@Suite("Shell completion", .serialized, .enabled(if: MachineNeeds.met))
struct CompletionTests {
    @Test("bash completes commands, options, and the names of images and machines that there are")
    func bash() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "worker", expect: 0)
            try home.write("complete", try home.terrine("completion", "bash", expect: 0).output)
            func complete(_ line: String) throws -> [String] {
                // As readline calls it: the words, which of them is being typed, and the line.
                let script = """
                    PATH="\(URL(fileURLWithPath: Home.program).deletingLastPathComponent().path):$PATH"
                    source "$1"; COMP_LINE="$2"; COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<< "$2"
                    [[ "$2" != *" " ]] || COMP_WORDS+=("")
                    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_TYPE=9; COMP_KEY=9
                    function_name=$(complete -p terrine | sed -E 's/.*-F ([^ ]+).*/\\1/')
                    "$function_name" terrine "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
                    printf '%s\\n' "${COMPREPLY[@]}"
                    """
                var command = Command("bash", ["--norc", "-c", script, "bash", home.path + "/complete", line])
                command.environment =
                    ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }.filter { !$0.hasPrefix("TERRINE_HOME=") } + ["TERRINE_HOME=\(home.path)"]
                return try command.capture().output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            }
            #expect(try complete("terrine che").contains("checkpoint"))
            #expect(try complete("terrine build --pro").contains { $0.hasPrefix("--progress") })
            #expect(try complete("terrine stop w") == ["worker"])
            #expect(try complete("terrine history ").contains("small:1"))
            #expect(try complete("terrine fork ").filter { !$0.hasPrefix("-") }.sorted() == ["small:1", "worker"])
            try home.terrine("rm", "--all", expect: 0)
        }
    }

    @Test("the scripts for zsh and fish are what these shells can read")
    func others() throws {
        try Home.with { home in
            for shell in ["zsh", "fish"] {
                try home.write(shell, try home.terrine("completion", shell, expect: 0).output)
                let run = try Command(shell, ["-n", "\(home.path)/\(shell)"]).capture()
                #expect(run.status == .exited(0), "\(shell): \(run.errors)")
            }
        }
    }
}
