import Recipes

/// What kind of goal a check of an owner's recipe is: a recipe does not say.
enum GoalKinds {
    private static let tests = Pattern(
        known:
            #"\b(?:pytest|py\.test|unittest|tox|nox|ctest|prove|rspec|phpunit|busted|bats|runtests?\b|run[-_]tests?|(?:make|gmake|ninja)\b[^|;&]*? (?:check|tests?|distcheck)(?:$|[\s;&|)])|(?:go|cargo|npm|yarn|pnpm|mix|swift|dotnet|gradle|mvn|mvnw|gradlew|cabal|stack|dub|rake|meson|lein|sbt|zig|npm run|yarn run|composer|bundle exec|build|\./Build|manage\.py) test(?:$|[\s;&|)])|mocha|jest|vitest|ava|testthat|dune (?:runtest|test))"#
    )
    private static let asking = Pattern(known: #"(?:--version|--help|\s-V|\s-h)\s*$"#)

    /// - Parameter output: of a run: who counts tests tests.
    static func kind(of command: String, output: String) -> Goal.Kind {
        let isAsking = asking.isFound(in: command)
        if !isAsking, command.split(separator: "\n").contains(where: { tests.isFound(in: $0) }) { return .test }
        return (TestSummary.parse(output)?.ran ?? 0) > 0 && !isAsking ? .test : .build
    }

    static func goal(_ check: Recipe.Check, output: String) -> Goal {
        Goal(
            kind(of: check.run, output: output), check.run, name: check.name, exit: check.exit, evidence: Evidence(file: Recipe.fileName),
            origin: Recipe.fileName)
    }
}
