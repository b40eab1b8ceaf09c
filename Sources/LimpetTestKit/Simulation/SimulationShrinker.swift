/// Shrinks the scenario of a violation: leaves choices out while the same invariant is still violated.
package struct SimulationShrinker {
    private let off: Set<SimulationRule>
    /// The maximum number of runs.
    private let budget: Int
    private var runs = 0

    package init(without off: Set<SimulationRule> = [], budget: Int = 600) {
        self.off = off
        self.budget = budget
    }

    /// The smallest scenario found that violates the same invariant, and its violation; nil if the given scenario has
    /// no violation.
    ///
    /// - Throws: if the scenario cannot be built.
    package mutating func shrink(_ scenario: Scenario) throws -> (Scenario, Simulation.Violation)? {
        guard var violation = try violation(of: scenario) else { return nil }
        let invariant = violation.invariant
        var best = scenario
        best.choices = scenario.choices.filter { $0.at <= violation.at }
        if let found = try self.violation(of: best), found.invariant == invariant {
            violation = found
        } else {
            // The violation needs the end of the run: the healing.
            best = scenario
        }
        var size = max(1, best.choices.count / 2)
        while runs < budget {
            var start = 0
            var isSmaller = false
            while start < best.choices.count, runs < budget {
                var candidate = best
                candidate.choices.removeSubrange(start..<min(start + size, best.choices.count))
                if let found = try self.violation(of: candidate), found.invariant == invariant {
                    (best, violation, isSmaller) = (candidate, found, true)
                } else {
                    start += size
                }
            }
            if size == 1, !isSmaller { break }
            size = max(1, size / 2)
        }
        return (best, violation)
    }

    private mutating func violation(of scenario: Scenario) throws -> Simulation.Violation? {
        runs += 1
        return try Simulation(scenario, without: off).run()
    }
}
