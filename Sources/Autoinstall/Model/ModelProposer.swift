import Builder
import Foundation

/// Asks a model where no diagnoser has an answer that helps, within bounds, and hands on what can be a change of a recipe.
public actor ModelProposer: Proposer {
    /// What one run of `autoinstall` may spend on a model.
    public struct Budget: Sendable {
        public var questions = 12
        /// Of questions and answers together.
        public var tokens = 120_000
        /// For each question, with all its attempts.
        public var time = Duration.seconds(120)
        /// For all questions.
        public var wholeTime = Duration.seconds(600)

        public init() {}
    }

    /// What was spent so far.
    public struct Spent: Sendable, Codable, Equatable {
        public var questions = 0
        public var tokens = 0
        public var milliseconds = 0
        /// Proposals that were no plain change of a recipe, each in a line.
        public var refused: [String] = []
    }

    public private(set) var spent = Spent()
    public var spending: Spent? { spent }

    private let client: ModelClient
    private let prompt: ModelPrompt
    private let budget: Budget
    private let known: [String]
    private var answered: [String: [Remedy]] = [:]

    /// - Parameters:
    ///   - known: lines about the repository, such as its languages and the files at its root.
    ///   - environment: of this host: what is a secret in it is sent nowhere.
    public init(
        _ endpoint: ModelEndpoint, budget: Budget = Budget(), known: [String] = [], environment: [String: String] = ProcessInfo.processInfo.environment
    ) { self.init(ModelClient(endpoint), budget: budget, known: known, environment: environment) }

    init(_ client: ModelClient, budget: Budget = Budget(), known: [String] = [], environment: [String: String] = [:]) {
        (self.client, self.budget, self.known) = (client, budget, known)
        prompt = ModelPrompt(environment: environment, key: client.endpoint.key)
    }

    /// What a model is told of a repository beside the failure: its kinds, and what lies at its root.
    public static func facts(_ folder: String, home: String) throws -> [String] {
        let repository = try Repository(root: folder)
        let projects = try Probe(home: home).run(repository).projects
        let kinds = projects.map { $0.folder.isEmpty ? $0.ecosystem.name : "\($0.ecosystem.name) in \($0.folder)" }
        let names = Set(repository.files.compactMap { file in file.path.split(separator: "/").first.map { file.path.contains("/") ? "\($0)/" : String($0) } })
        return [
            "kinds of project: \(kinds.isEmpty ? "none that is known" : kinds.joined(separator: ", "))",
            "at its root: \(names.sorted().prefix(80).joined(separator: " "))",
        ]
    }

    /// - Throws: ``AutoinstallError`` `modelBudget` when nothing is left to spend; `modelRefused` when all that was proposed is refused, also at a second
    ///   asking; and what ``ModelClient`` throws.
    public func proposals(for failure: Failure, recipe: String) async throws -> [Remedy] {
        let text = prompt.question(failure, recipe: recipe, known: known)
        // The same question has the same answer, of which more than the first proposal may be worth a try.
        if let known = answered[text] { return known }
        answered[text] = []
        var question = ModelClient.Question(system: ModelPrompt.system, turns: [.init(speaker: .user, text: text)])
        var last = ""
        for _ in 1...2 {
            let reply = try await ask(question)
            do {
                if reply.isCutShort { throw AutoinstallError("modelAnswer", "the model's answer is longer than \(question.limit) tokens") }
                let answer = try ModelAnswer(reply.text)
                spent.refused += answer.refusals
                if !answer.proposals.isEmpty || answer.refusals.isEmpty {
                    let remedies = answer.proposals.map { remedy($0, failure) }
                    answered[text] = remedies
                    return remedies
                }
                last = answer.refusals.joined(separator: "; ")
            } catch let error as AutoinstallError where error.code == "modelAnswer" {
                last = error.message
                spent.refused.append(last)
            }
            question.turns += [
                .init(speaker: .assistant, text: reply.text.isEmpty ? "(nothing)" : reply.text),
                .init(speaker: .user, text: "That cannot be used: \(last). Answer again, in the form that was asked for."),
            ]
        }
        throw AutoinstallError("modelRefused", "\(client.endpoint.shown) proposes nothing that can be used", cause: Evidence.shown(last))
    }

    private func ask(_ question: ModelClient.Question) async throws -> ModelReply {
        // Before the answer nobody knows how many tokens a text has; few have more than one for three bytes.
        let size = question.turns.reduce(question.system.utf8.count) { $0 + $1.text.utf8.count } / 3
        let left = budget.wholeTime - .milliseconds(spent.milliseconds)
        guard spent.questions < budget.questions, spent.tokens + size <= budget.tokens, left > .zero else {
            throw AutoinstallError(
                "modelBudget",
                "\(client.endpoint.shown) is not asked any more: \(spent.questions) questions, about \(spent.tokens) tokens and \(spent.milliseconds / 1000) s were spent"
            )
        }
        spent.questions += 1
        let start = ContinuousClock.now
        defer { spent.milliseconds += start.duration(to: .now).milliseconds }
        do {
            let reply = try await client.reply(to: question, within: min(left, budget.time))
            spent.tokens += (reply.inputTokens ?? size) + (reply.outputTokens ?? reply.text.utf8.count / 3)
            return reply
        } catch {
            // What was sent in vain may have its price too.
            spent.tokens += size
            throw error
        }
    }

    private func remedy(_ proposal: (reason: String, patches: [RecipePatch]), _ failure: Failure) -> Remedy {
        let lack = Lack(.dependency, Evidence.shown(failure.command), evidence: prompt.redacted(failure.lastLine), confidence: .possible, rule: "model")
        return Remedy(lack, .model, proposal.patches, "proposed by \(client.endpoint.model): \(proposal.reason)")
    }
}
