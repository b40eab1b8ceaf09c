import LimpetTestKit
import Testing

@Suite("Replicas under faults")
struct SimulationTests {
    private static let steps = 300

    @Test(
        "every invariant holds, whatever the trouble", arguments: Scenario.Profile.allCases.filter { $0 != .touches })
    func invariants(_ profile: Scenario.Profile) async throws {
        let campaign = SimulationCampaign(seeds: 1..<21, steps: Self.steps, profile: profile)
        let result = try await campaign.run(workers: 2)
        #expect(result.findings.map { "seed \($0.seed): \($0.violation)" } == [])
        #expect(result.coverage.count(of: "undegraded decisions") > 1000)
        #expect(result.coverage.count(of: "degraded decisions") > 100)
    }

    @Test("touches: one for all replicas, while they fail and cookies get lost")
    func touches() async throws {
        // Longer than a lifetime, so fewer.
        let campaign = SimulationCampaign(seeds: 301..<304, steps: 150, profile: .touches)
        let result = try await campaign.run(workers: 2)
        #expect(result.findings.map { "seed \($0.seed): \($0.violation)" } == [])
        for event in [
            "touches", "hints that vouch", "cookies that vouch", "cookies that do not vouch", "cookies lost",
            "breakers opened", "calms",
        ] { #expect(result.coverage.count(of: event) > 0, "\(event)") }
    }

    @Test("all of it happens: every way to decide but balancing, every kind of trouble")
    func coverage() async throws {
        let campaign = SimulationCampaign(seeds: 100..<130, steps: Self.steps, profile: .everything)
        let coverage = try await campaign.run(workers: 2).coverage
        for provenance in coverage.provenances where provenance.value < 20 {
            Issue.record("\(provenance.key) \(provenance.value)")
        }
        #expect(coverage.provenances.count == 8)
        let troubles = [
            "connections cut", "connections delayed", "connections half-open", "pauses", "stalls", "primaries dead",
            "primaries cut off", "fail-overs", "flushes", "restarts", "restarts, empty", "evictions", "foreign values",
            "drops", "memory full", "refused writes", "backends broken", "backends out of one replica's reach",
            "health checks failed", "health checks failed at one replica alone", "backends failing",
            "consents", "moves asked for", "messages heard", "eras", "silent subscriptions", "breakers opened",
            "touches", "offers", "writes repeated", "waited for another's answer", "hints expired", "forgeries",
            "announcements heard", "scans", "offers to refill", "refills ended", "bindings known through a loss",
            "decisions that rest on standby's promise", "standby synced",
        ]
        for trouble in troubles { #expect(coverage.count(of: trouble) > 0, "\(trouble)") }
    }

    /// The first seed of `scripts/simulate --rules` that misses the rule (docs/simulation.md).
    private static let missedAt: [SimulationRule: UInt64] = [
        .lease: 2,
        .leaseFromSending: 36,
        .generation: 2,
        .writeHeartbeat: 20,
        .sameServer: 250,
        .era: 1,
        .messageOrder: 123,
        .broadcast: 6,
        .floors: 2,
        .fillGeneration: 119,
        .replyAge: 541,
        .lifetimeFromSending: 9,
        .restore: 1,
        .compareAndSet: 14,
        .sweep: 1,
        .guessYields: 1,
        .guessEpoch: 1,
        .replay: 56,
        .singleFlight: 2,
        .tombstone: 3,
        .touch: 3,
        .touchReply: 7,
        .vouchedLife: 7,
        .hintEpoch: 2,
        .consent: 9,
        .tie: 38,
        .moveOnlyLive: 54,
        .confirmedWins: 36,
        .guardedFailOver: 20,
        .announcements: 1,
        .announcedAsHeld: 7,
        .askedAgain: 7,
        .earlierLineage: 583,
        .leftOut: 411,
        .pageFills: 333,
        .scanAfterRefill: 1,
        .standbyAsks: 1,
        .expiredGuesses: 3,
        .refill: 1,
        .refillOldData: 17,
        .lifeSeen: 2,
        .offerEpoch: 11,
        .sentinelMajority: 1,
        .silenceIsOfServer: 2,
        .greetingIsOwed: 77,
        .settle: 63,
        .namedSince: 18,
    ]

    @Test("without a rule of the protocol an invariant breaks", arguments: SimulationRule.allCases)
    func ruleIsMissed(_ rule: SimulationRule) throws {
        let seed = try #require(Self.missedAt[rule])
        let scenario = Scenario(seed: seed, steps: Self.steps, profile: rule.profile)
        #expect(try Simulation(scenario, without: [rule]).run() != nil)
        #expect(try Simulation(scenario).run() == nil)
    }

    @Test("outages: what standby is for, and every way to lose it")
    func outages() async throws {
        let campaign = SimulationCampaign(seeds: 200..<215, steps: Self.steps, profile: .outages)
        let result = try await campaign.run(workers: 2)
        #expect(result.findings.map { "seed \($0.seed): \($0.violation)" } == [])
        let troubles = [
            "outages", "servers out of reach", "announcements left out", "announcements without a reply",
            "refills ended", "standby waits, no-store",
        ]
        for trouble in troubles { #expect(result.coverage.count(of: trouble) > 0, "\(trouble)") }
        #expect(result.coverage.count(of: "decisions that rest on standby's promise") > 50)
    }

    @Test("Sentinels: what they can get wrong, and primaries that wake after they were replaced")
    func sentinels() async throws {
        let campaign = SimulationCampaign(seeds: 200..<210, steps: Self.steps, profile: .sentinels)
        let result = try await campaign.run(workers: 2)
        #expect(result.findings.map { "seed \($0.seed): \($0.violation)" } == [])
        let troubles = [
            "lies of sentinels", "sentinels out of reach", "sentinels restarted with an old epoch", "primaries frozen",
            "primaries cut off", "primaries dead", "primaries woken", "primaries woken after a fail-over",
            "servers silent",
            "servers trusted again", "decisions by a replaced primary",
        ]
        for trouble in troubles { #expect(result.coverage.count(of: trouble) > 0, "\(trouble)") }
    }

    @Test("a hundred replicas keep every invariant")
    func hundred() async throws {
        let campaign = SimulationCampaign(seeds: 1..<2, steps: 40, profile: .outages, replicas: 100)
        let result = try await campaign.run(workers: 1)
        #expect(result.findings.map { "seed \($0.seed): \($0.violation)" } == [])
        #expect(result.coverage.count(of: "standby synced") >= 100)
    }

    @Test("the same seed is the same run")
    func deterministic() throws {
        func trace() throws -> [String] {
            let simulation = try Simulation(Scenario(seed: 7, steps: 100))
            var lines: [String] = []
            simulation.trace = { lines.append($0) }
            simulation.run()
            return lines
        }
        let first = try trace()
        #expect(first.count > 100)
        #expect(try trace() == first)
    }

    @Test("what breaks an invariant is made small, and still breaks it")
    func shrunk() throws {
        let scenario = Scenario(seed: 6, steps: Self.steps)
        var shrinker = SimulationShrinker(without: [.broadcast], budget: 60)
        let (smallest, violation) = try #require(try shrinker.shrink(scenario))
        #expect(smallest.choices.count * 4 < scenario.choices.count)
        let again = try Simulation(smallest, without: [.broadcast]).run()
        #expect(again?.description == violation.description)
        #expect(try Simulation(smallest).run() == nil)
    }
}
