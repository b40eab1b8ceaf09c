import Testing

@testable import Affinity

@Suite("Replicas of two releases in one fleet")
struct MixedReleaseTests {
    private let now = Instant(nanoseconds: 1_000_000_000_000)

    private static let statuses: [StandbyStatus] =
        [.synced, .syncing(sessions: .max), .refilling, .off] + StandbyStatus.Reason.allCases.map { .notSynced($0) }

    private func health(_ instance: UInt64, version: String = "0.1.0") -> FleetHealth {
        FleetHealth(
            own: .init(instance: instance, configuration: 7, name: "r\(instance)", version: version),
            backends: [FleetBackend(service: ServiceHash(bits: 5), backend: BackendHash(bits: 9))],
            leaseMilliseconds: 500, probeTimeoutMilliseconds: 1000)
    }

    private func payloads(_ actions: [FleetHealth.Action]) -> [[UInt8]] {
        actions.compactMap { if case .publish(let payload) = $0 { payload } else { nil } }
    }

    @Test("the first release reads every message, whatever this replica says of its standby")
    func readable() throws {
        for status in Self.statuses {
            for version in ["0.1.0", String(repeating: "9", count: 64)] {
                var health = health(1, version: version)
                health.standbyChanged(to: status, isUrgent: true)
                var sent = payloads(health.tick(lease: .live, now: now))
                let backend = FleetBackend(service: ServiceHash(bits: 5), backend: BackendHash(bits: 9))
                sent += payloads(health.suspected(backend, now: now.advanced(byMilliseconds: 100)))
                #expect(sent.count == 2)
                for payload in sent {
                    let message = try #require(FirstReleaseFleetReader.read(payload))
                    #expect(message.instance == 1 && message.configuration == 7 && message.name == "r1")
                    #expect(message.version.contains("/"))
                }
                #expect(FirstReleaseFleetReader.read(sent[1])?.verdicts.count == 1)
            }
        }
        #expect(FirstReleaseFleetReader.read(Array("B B B B B L r1 0.1.0 synced".utf8)) == nil)
    }

    /// As the first release wrote them.
    @Test(
        "messages of the first release are read, and their senders count as replicas that announce nothing",
        arguments: ["B C D H -g L r2 0.1.0", "B C D H -g L r2 0.1.0 F.J.d!B", "B C D H -g D r2 0.1.0 F.J.u@B.C"])
    func firstRelease(text: String) {
        var health = health(1)
        _ = health.tick(lease: .live, now: now)
        _ = Array(text.utf8).withUnsafeBytes { health.received($0, now: now) }
        #expect(health.roster.members.count == 1 && health.ignoredMessages == 0)
        #expect(health.roster.standby.hasUnannounced && health.roster.standby.announcing.isEmpty)
        // Nobody believes to be alone, as long as the other is heard.
        #expect(!health.isAlone)
    }

    @Test("the very first message of a replica says that it announces: nobody takes it for an earlier release")
    func firstMessage() throws {
        var health = FleetHealth(
            own: .init(instance: 1, configuration: 7, name: "r1", version: "0.1.0"), backends: [],
            leaseMilliseconds: 500, probeTimeoutMilliseconds: 1000, standby: .notSynced(.waiting))
        let sent = payloads(health.reconfigured(configuration: 7, backends: [], now: now))
        #expect(FirstReleaseFleetReader.read(try #require(sent.first))?.version == "0.1.0/waits-waiting")
    }

    @Test("a count of sessions is told with the next message in turn, a change of state at once")
    func urgency() {
        var health = health(1)
        _ = health.tick(lease: .live, now: now)
        health.standbyChanged(to: .syncing(sessions: 5), isUrgent: true)
        #expect(payloads(health.tick(lease: .live, now: now.advanced(byMilliseconds: 50))).count == 1)
        health.standbyChanged(to: .syncing(sessions: 9), isUrgent: false)
        #expect(payloads(health.tick(lease: .live, now: now.advanced(byMilliseconds: 100))).isEmpty)
    }
}
