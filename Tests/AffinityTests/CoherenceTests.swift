import Testing

@testable import Affinity

@Suite("The coherence channel")
struct CoherenceTests {
    let start = Instant(nanoseconds: 7_000_000_000_000)
    let server = ServerIdentity(runID: .init("aaaa"), replicationID: "r1")
    let session = Fingerprint(high: 0, low: 1)

    private func at(_ milliseconds: Int64) -> Instant { start.advanced(byMilliseconds: milliseconds) }

    /// A channel that is live from a heartbeat sent at 0.
    private func live() -> CoherenceChannel {
        var channel = CoherenceChannel(leaseMilliseconds: 500)
        channel.subscribed(to: server, now: start)
        let beat = channel.beat(now: start)
        _ = channel.echoed(beat, from: server.runID, era: "e", now: at(2))
        return channel
    }

    @Test("down until subscribed, proving until a heartbeat has come back, live for a lease from its sending")
    func life() {
        var channel = CoherenceChannel(leaseMilliseconds: 500)
        #expect(channel.state == .down && !channel.isLive(start))
        channel.subscribed(to: server, now: start)
        #expect(channel.state == .proving && !channel.isLive(start))
        let beat = channel.beat(now: at(10))
        #expect(channel.echoed(beat, from: server.runID, era: "e", now: at(300)) == .proven)
        #expect(channel.isLive(at(300)) && channel.isLive(at(509)))
        #expect(!channel.isLive(at(510)))
        #expect(channel.state == .live)
    }

    @Test("with the first era a generation begins: it may have come with the loss of what was read or written before")
    func firstEra() {
        var channel = CoherenceChannel(leaseMilliseconds: 500)
        channel.subscribed(to: server, now: start)
        let beat = channel.beat(now: at(100))
        #expect(channel.echoed(beat, from: server.runID, era: "e", now: at(101)) == .proven)
        #expect(channel.status.generationBegan == at(101))
        #expect(channel.status.lineage == 1)
    }

    @Test("an echo counts once, whoever it is of, and a lease never shrinks")
    func echoes() {
        var channel = live()
        let (first, second) = (channel.beat(now: at(100)), channel.beat(now: at(200)))
        #expect(channel.echoed(second, from: server.runID, era: "e", now: at(201)) == .proven)
        #expect(channel.echoed(second, from: server.runID, era: "e", now: at(202)) == .ignored)
        #expect(channel.echoed(first, from: server.runID, era: "e", now: at(203)) == .ignored)
        #expect(channel.echoed(900, from: server.runID, era: "e", now: at(203)) == .ignored)
        #expect(channel.isLive(at(699)) && !channel.isLive(at(700)))
    }

    @Test("a heartbeat written to another server than the subscription's proves nothing")
    func otherServer() {
        var channel = CoherenceChannel(leaseMilliseconds: 500)
        channel.subscribed(to: server, now: start)
        let beat = channel.beat(now: start)
        #expect(channel.echoed(beat, from: .init("bbbb"), era: "e", now: at(1)) == .ignored)
        #expect(channel.state == .proving)
    }

    @Test("past its lease it is in doubt, and live again with the next echo, in the same generation")
    func doubt() {
        var channel = live()
        let generation = channel.status.generationBegan
        #expect(!channel.isLive(at(600)))
        let beat = channel.beat(now: at(650))
        _ = channel.echoed(beat, from: server.runID, era: "e", now: at(660))
        #expect(channel.isLive(at(660)))
        #expect(channel.status.generationBegan == generation && channel.generations == 1)
    }

    @Test("two leases without an echo: the subscription is to be given up")
    func silent() {
        let channel = live()
        #expect(!channel.isSilent(at(1002)))
        #expect(channel.isSilent(at(1003)))
        #expect(!CoherenceChannel(leaseMilliseconds: 500).isSilent(at(100_000)))
    }

    @Test("each subscription begins a generation; a heartbeat of the time before does not make it live")
    func resubscribed() {
        var channel = live()
        let late = channel.beat(now: at(50))
        channel.lost()
        #expect(channel.state == .down && !channel.isLive(at(60)))
        #expect(channel.echoed(late, from: server.runID, era: "e", now: at(70)) == .ignored)
        channel.subscribed(to: server, now: at(80))
        #expect(channel.status.generationBegan == at(80) && channel.generations == 2)
        #expect(channel.status.lineage == 1)
    }

    @Test("another era: everything remembered is asked again, and own writes are repeated")
    func era() {
        var channel = live()
        let beat = channel.beat(now: at(100))
        #expect(channel.echoed(beat, from: server.runID, era: "f", now: at(105)) == .provenAnew)
        #expect(channel.status.generationBegan == at(105) && channel.status.lineage == 2)
        #expect(channel.isLive(at(599)) && !channel.isLive(at(600)))
        channel.lost()
        channel.subscribed(to: server, now: at(200))
        let next = channel.beat(now: at(200))
        #expect(channel.echoed(next, from: server.runID, era: "g", now: at(201)) == .provenAnew)
        #expect(channel.status.lineage == 3)
    }

    @Test("another server, or another history of the same: own writes are repeated")
    func failover() {
        var channel = live()
        channel.lost()
        channel.subscribed(to: ServerIdentity(runID: server.runID, replicationID: "r2"), now: at(100))
        #expect(channel.status.lineage == 2)
        channel.lost()
        channel.subscribed(to: ServerIdentity(runID: .init("bbbb"), replicationID: "r2"), now: at(200))
        #expect(channel.status.lineage == 3)
    }

    @Test("heartbeats that never come back are forgotten")
    func unanswered() {
        var channel = live()
        var first: UInt64?
        for number in 0..<1000 {
            let beat = channel.beat(now: at(Int64(number)))
            first = first ?? beat
        }
        #expect(channel.echoed(first ?? 0, from: server.runID, era: "e", now: at(1001)) == .ignored)
    }

    @Test("what was learnt in the generation is covered while the channel is live")
    func covers() {
        let coherence = Coherence(primaries: 1)
        #expect(!coherence.isLive(for: session, now: start) && !coherence.covers(start, of: session, now: start))
        coherence.publish(Coherence.Status(liveUntil: at(500), generationBegan: at(100), lineage: 3))
        #expect(coherence.covers(at(100), of: session, now: at(499)))
        #expect(!coherence.covers(at(99), of: session, now: at(499)))
        #expect(!coherence.covers(at(100), of: session, now: at(500)))
        #expect(coherence.lineage(of: 0) == 3)
        coherence.publish(.down)
        #expect(!coherence.covers(at(100), of: session, now: at(200)))
        #expect(Coherence.alone().covers(.distantPast, of: session, now: at(1_000_000_000)))
    }

    @Test("a session is covered by the channel of the primary that holds its record, whatever the others do")
    func primaries() {
        let coherence = Coherence(primaries: 2)
        let other = Fingerprint(high: 1, low: 0)
        #expect([session, other].map(coherence.primaries.primary) == [0, 1])
        coherence.publish(Coherence.Status(liveUntil: at(500), generationBegan: at(0), lineage: 1), primary: 0)
        #expect(coherence.isLive(for: session, now: at(499)) && !coherence.isLive(for: session, now: at(500)))
        #expect(!coherence.isLive(for: other, now: at(1)) && !coherence.covers(at(0), of: other, now: at(1)))
        coherence.publish(Coherence.Status(liveUntil: at(300), generationBegan: at(50), lineage: 4), primary: 1)
        #expect(coherence.covers(at(49), of: session, now: at(60)) && !coherence.covers(at(49), of: other, now: at(60)))
        #expect(coherence.covers(at(50), of: other, now: at(299)) && !coherence.covers(at(50), of: other, now: at(300)))
        #expect([coherence.lineage(of: 0), coherence.lineage(of: 1)] == [1, 4])
        coherence.publish(.down, primary: 0)
        #expect(!coherence.isLive(for: session, now: at(60)) && coherence.isLive(for: other, now: at(60)))
        coherence.publish(.down, primary: 7)
        #expect(coherence.isLive(for: other, now: at(60)))
    }

    @Test("of a store that is one server the one primary holds all sessions; several share them evenly")
    func shares() {
        let sessions = (0..<1000 as Range<UInt64>).map { Fingerprint(high: $0 &* 0x9E37_79B9_7F4A_7C15, low: $0) }
        #expect(PrimaryMap(count: 0).count == 1)
        #expect(sessions.allSatisfy { PrimaryMap(count: 1).primary(of: $0) == 0 })
        let map = PrimaryMap(count: 3)
        for primary in 0..<3 {
            #expect((250...420).contains(sessions.count { map.primary(of: $0) == primary }))
        }
    }
}
