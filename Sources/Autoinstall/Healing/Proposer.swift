/// Who else may say how a failure is mended, where no diagnoser has an answer that helps.
///
/// It is asked last, and what it proposes is held to the same proof as everything else: it changes a recipe, which is built and run in machines, and nothing
/// of it reaches this host. Names and scripts of a proposal are a stranger's words: the healer refuses what is no plain name.
public protocol Proposer: Sendable {
    /// Ways to mend a failure, the most promising first; none where it has no idea.
    ///
    /// - Parameters:
    ///   - failure: redacted: no secret of this host is in it.
    ///   - recipe: the recipe's text as it is now.
    /// - Throws: anything: the loop tells it once, and goes on without.
    func proposals(for failure: Failure, recipe: String) async throws -> [Remedy]

    /// What asking has cost so far; nil where it costs nothing.
    var spending: ModelProposer.Spent? { get async }
}

extension Proposer {
    public var spending: ModelProposer.Spent? { get async { nil } }
}
