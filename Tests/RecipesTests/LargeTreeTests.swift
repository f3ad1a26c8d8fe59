import Foundation
import Testing

@testable import Recipes

@Suite struct LargeTreeTests {
    @Test("a tree of many files is walked and hashed whole, in order, the same every time")
    func many() throws {
        try withFolder(["terrine.yaml": Fixtures.head]) { folder in
            for number in 0..<3000 { try write("file \(number)", folder, "d\(number % 37)/e\(number % 5)/f\(number)") }
            let recipe = try Recipe.load(folder)
            let clock = ContinuousClock()
            var plans: [Plan] = []
            let time = try clock.measure { for _ in 0..<2 { plans.append(try Plan.make(recipe)) } }
            print("two plans of 3,001 files: \(time)")
            let inputs = plans[0].steps[1].inputs
            #expect(inputs.count == 3001)
            #expect(inputs.map(\.path) == inputs.map(\.path).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
            #expect(plans[1].steps[1].inputs == inputs)
            #expect(inputs.first { $0.path == "d0/e0/f0" }?.digest == InputHashing.hex(of: "file 0"))
        }
    }
}
