import ArgumentParser
import Foundation
import Images
import Machines

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a script that completes commands, options and names in a shell.",
        discussion: "bash: `terrine completion bash > /etc/bash_completion.d/terrine`. zsh: into a folder of `fpath`, as `_terrine`. fish: "
            + "`terrine completion fish > ~/.config/fish/completions/terrine.fish`.")

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    @OptionGroup var global: GlobalOptions

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell.rawValue) else { throw ValidationError("there is no completion for \(shell.rawValue)") }
        print(Terrine.completionScript(for: shell))
    }
}

/// Names that exist now: a shell asks this program for them while a person types, so what cannot be read is no name.
extension CompletionKind {
    static var machines: CompletionKind { .custom { words, _, prefix in Names.of(words).machines.filter { $0.hasPrefix(prefix) } } }
    static var images: CompletionKind { .custom { words, _, prefix in Names.of(words).images.filter { $0.hasPrefix(prefix) } } }
    static var machinesAndImages: CompletionKind {
        .custom { words, _, prefix in
            let names = Names.of(words)
            return (names.machines + names.images).filter { $0.hasPrefix(prefix) }
        }
    }

    private struct Names {
        let home: String

        /// Of the home that the line itself names, if it does.
        static func of(_ words: [String]) -> Names {
            let place = words.firstIndex(of: "--home").map { $0 + 1 }
            return Names(home: GlobalOptions.homeFolder(place.flatMap { $0 < words.count ? words[$0] : nil }))
        }

        private var store: ImageStore? {
            // A home that is not there must not be made by a question, and an error has no place on a line that is being typed.
            FileManager.default.fileExists(atPath: home + "/store") ? try? ImageStore(home: home) : nil
        }

        // What cannot be read is no name.
        var images: [String] { (try? store?.list(all: false))?.compactMap(\.name) ?? [] }

        var machines: [String] {
            // As above.
            guard let store, let machines = try? MachineHost(home: home, images: store).machines() else { return [] }
            return machines.map(\.name)
        }
    }
}
