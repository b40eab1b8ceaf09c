import Foundation
import LimpetTestKit

/// Executes the command line.
struct SimulateCommand {
    let options: SimulateOptions

    /// Returns whether no invariant was violated; with `--rules`, whether turning off each rule caused a violation.
    func run() async throws -> Bool {
        if options.lists {
            print("profiles: " + Scenario.Profile.allCases.map(\.rawValue).joined(separator: " "))
            print("rules: " + SimulationRule.allCases.map(\.rawValue).joined(separator: " "))
            return true
        }
        if options.triesRules { return try await tryRules() }
        return options.traces ? try trace() : try await runSeeds()
    }

    // MARK: Seeds

    private func runSeeds() async throws -> Bool {
        let start = Date()
        let campaign = SimulationCampaign(
            seeds: options.seed..<(options.seed + options.seeds), steps: options.steps, profile: options.profile,
            replicas: options.replicas, without: options.without)
        let printed = ProgressLine()
        let result = try await campaign.run(workers: ProcessInfo.processInfo.activeProcessorCount) {
            printed.show($0, of: options.seeds)
        }
        let seconds = Date().timeIntervalSince(start)
        print("\(result.runs) seeds, \(result.events) events, \(String(format: "%.1f", seconds)) s")
        for line in result.coverage.lines { print(line) }
        for finding in result.findings.prefix(10) { print("seed \(finding.seed): \(finding.violation)") }
        print("\(result.findings.count) seeds with a violation")
        guard let first = result.findings.first else { return true }
        try shrink(first.seed)
        return false
    }

    private func scenario(_ seed: UInt64) -> Scenario {
        Scenario(seed: seed, steps: options.steps, profile: options.profile, replicas: options.replicas)
    }

    private func shrink(_ seed: UInt64) throws {
        var shrinker = SimulationShrinker(without: options.without)
        guard let (smallest, violation) = try shrinker.shrink(scenario(seed)) else { return }
        print("\nseed \(seed), shrunk to \(smallest.choices.count) choices: \(violation)")
        try trace(smallest, last: 80)
        print("\nto see it again: scripts/simulate \(replay(seed))")
    }

    private func replay(_ seed: UInt64) -> String {
        let profile = options.profile.map { " --profile \($0.rawValue)" } ?? ""
        let replicas = options.replicas.map { " --replicas \($0)" } ?? ""
        let without = options.without.map { " --without \($0.rawValue)" }.sorted().joined()
        return "--seeds 1 --seed \(seed) --steps \(options.steps)\(profile)\(replicas)\(without)"
    }

    private func trace() throws -> Bool {
        let simulation = try Simulation(scenario(options.seed), without: options.without)
        simulation.trace = { print($0) }
        return simulation.run() == nil
    }

    private func trace(_ scenario: Scenario, last count: Int) throws {
        let simulation = try Simulation(scenario, without: options.without)
        var lines: [String] = []
        simulation.trace = { lines.append($0) }
        simulation.run()
        for line in lines.suffix(count) { print(line) }
    }

    // MARK: Rules

    private func tryRules() async throws -> Bool {
        var areMissed = true
        for rule in SimulationRule.allCases where options.without.isEmpty || options.without.contains(rule) {
            let start = Date()
            let campaign = SimulationCampaign(
                seeds: options.seed..<(options.seed + options.seeds), steps: options.steps,
                profile: options.profile ?? rule.profile, replicas: options.replicas, without: [rule], stopsEarly: true)
            let result = try await campaign.run(workers: ProcessInfo.processInfo.activeProcessorCount)
            let seconds = String(format: "%.1f", Date().timeIntervalSince(start))
            if let first = result.findings.first {
                print("| \(rule.rawValue) | seed \(first.seed) | \(first.violation) | \(seconds) s |")
            } else {
                areMissed = false
                print("| \(rule.rawValue) | none in \(result.runs) | | \(seconds) s |")
            }
        }
        return areMissed
    }
}
