/// Many simulations, one per seed, on all processors.
package struct SimulationCampaign: Sendable {
    package struct Finding: Sendable {
        package let seed: UInt64
        package let violation: Simulation.Violation
    }

    package struct Result: Sendable {
        package var runs = 0
        package var events = 0
        package var coverage = SimulationCoverage()
        /// Sorted by seed.
        package var findings: [Finding] = []

        mutating func add(_ other: Result) {
            runs += other.runs
            events += other.events
            coverage.add(other.coverage)
            findings += other.findings
        }
    }

    package let seeds: Range<UInt64>
    package let steps: Int
    package let profile: Scenario.Profile?
    /// The number of replicas, for every seed; nil: drawn from the seed.
    package let replicas: Int?
    package let off: Set<SimulationRule>
    /// Whether the campaign ends with the first violation.
    package let stopsEarly: Bool

    package init(
        seeds: Range<UInt64>, steps: Int, profile: Scenario.Profile? = nil, replicas: Int? = nil,
        without off: Set<SimulationRule> = [],
        stopsEarly: Bool = false
    ) {
        self.seeds = seeds
        self.steps = steps
        self.profile = profile
        self.replicas = replicas
        self.off = off
        self.stopsEarly = stopsEarly
    }

    /// - Parameter workers: the number of concurrent batches of seeds.
    /// - Throws: if a scenario cannot be built.
    package func run(workers: Int, progress: @Sendable (Result) -> Void = { _ in }) async throws -> Result {
        var whole = Result()
        let batch: UInt64 = stopsEarly ? 4 : 25
        try await withThrowingTaskGroup(of: Result.self) { group in
            var next = seeds.lowerBound
            func addBatch() {
                guard next < seeds.upperBound else { return }
                let range = next..<min(next + batch, seeds.upperBound)
                next = range.upperBound
                group.addTask { try run(range) }
            }
            for _ in 0..<max(1, workers) { addBatch() }
            while let part = try await group.next() {
                whole.add(part)
                progress(whole)
                if stopsEarly, !whole.findings.isEmpty { continue }
                addBatch()
            }
        }
        whole.findings.sort { $0.seed < $1.seed }
        return whole
    }

    private func run(_ range: Range<UInt64>) throws -> Result {
        var result = Result()
        for seed in range {
            let simulation = try Simulation(
                Scenario(seed: seed, steps: steps, profile: profile, replicas: replicas), without: off)
            if let violation = simulation.run() { result.findings.append(Finding(seed: seed, violation: violation)) }
            result.runs += 1
            result.events += simulation.steps
            result.coverage.add(simulation.coverage)
            if stopsEarly, !result.findings.isEmpty { break }
        }
        return result
    }
}
