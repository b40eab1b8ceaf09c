import Testing

@testable import Affinity

@Suite("Health judged by the fleet")
struct FleetHealthTests {
    @Test("a replica that hears no other decides alone, but not before it has listened for three seconds")
    func alone() {
        var fleet = HealthFleet(1)
        fleet.run(2900)
        #expect(!fleet.replicas[0].isAlone)
        fleet.run(300)
        #expect(fleet.replicas[0].isAlone)
        fleet.setPath(.refused, [0])
        fleet.request(at: 0)
        let isReached = fleet.run(until: { $0.leaves(0) }, atMost: 10) != nil
        #expect(isReached)
    }

    @Test("a replica that has not listened for three seconds asks whoever may be there, for one lease")
    func young() throws {
        var fleet = HealthFleet(1)
        fleet.run(100)
        fleet.setPath(.refused, [0])
        fleet.request(at: 0)
        let found = fleet.run(until: { $0.leaves(0) }, atMost: 1000)
        let time = try #require(found)
        #expect(time >= HealthFleet.leaseMilliseconds && time <= HealthFleet.leaseMilliseconds + 100)
    }

    @Test("nobody is alone in a fleet of two, and the one that is left is after three seconds")
    func leftAlone() {
        var fleet = HealthFleet.running(2)
        #expect(fleet.replicas.allSatisfy { !$0.isAlone })
        fleet.replicas[1].isFrozen = true
        fleet.run(2000)
        #expect(!fleet.replicas[0].isAlone)
        fleet.run(1200)
        #expect(fleet.replicas[0].isAlone)
        fleet.replicas[1].isFrozen = false
        fleet.run(100)
        #expect(fleet.replicas.allSatisfy { !$0.isAlone })
    }

    @Test("a backend that refuses connections is left within 0.5 s of the first failure", arguments: [2, 3, 10])
    func refused(count: Int) throws {
        var fleet = HealthFleet.running(count)
        fleet.setPath(.refused, 0..<count)
        fleet.request(at: 1)
        let found = fleet.run(until: { $0.leaves(1) }, atMost: 500)
        let first = try #require(found)
        #expect(first < 100)
        let isReached = fleet.run(until: { fleet in (0..<count).allSatisfy(fleet.leaves) }, atMost: 400) != nil
        #expect(isReached)
    }

    @Test("so it is where all replicas find it out at once", arguments: [2, 3, 10, 30])
    func refusedEverywhere(count: Int) {
        var fleet = HealthFleet.running(count)
        fleet.setPath(.refused, 0..<count)
        for index in 0..<count { fleet.request(at: index) }
        let isReached = fleet.run(until: { fleet in (0..<count).allSatisfy(fleet.leaves) }, atMost: 500) != nil
        #expect(isReached)
    }

    @Test("a silent backend is left within the probe's time-out and 0.5 s", arguments: [2, 3, 5, 10], [false, true])
    func silent(count: Int, everywhere: Bool) {
        var fleet = HealthFleet.running(count)
        fleet.setPath(.silent, 0..<count)
        for index in 0..<(everywhere ? count : 1) { fleet.request(at: index) }
        let limit = HealthFleet.probeTimeoutMilliseconds + 500
        let isReached = fleet.run(until: { fleet in (0..<count).allSatisfy(fleet.leaves) }, atMost: limit) != nil
        #expect(isReached)
    }

    @Test("a replica that alone cannot reach a backend moves nobody", arguments: [2, 3, 10], [true, false])
    func cutOff(count: Int, isRefused: Bool) {
        var fleet = HealthFleet.running(count)
        fleet.setPath(isRefused ? .refused : .silent, [0])
        fleet.request(at: 0)
        for _ in 0..<20_000 {
            fleet.run(1)
            let leaves = fleet.leaves(0)
            #expect(!leaves)
        }
        #expect(!fleet.replicas[0].isUp && fleet.replicas.dropFirst().allSatisfy(\.isUp))
        #expect(fleet.replicas.allSatisfy { !$0.isAvoided })
    }

    @Test("what was an opinion becomes a judgement as soon as the others find the backend gone too")
    func laterGone() {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.silent, [0])
        fleet.request(at: 0)
        fleet.run(5000)
        let leaves = fleet.leaves(0)
        #expect(!leaves)
        fleet.setPath(.refused, [1, 2])
        let isReached = fleet.run(until: { fleet in (0..<3).allSatisfy(fleet.leaves) }, atMost: 2000) != nil
        #expect(isReached)
    }

    @Test("where most cannot reach a backend, the one that can avoids it and keeps what it has")
    func avoided() {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.refused, [0, 1])
        fleet.request(at: 0)
        let isReached =
            fleet.run(until: { $0.leaves(0) && $0.leaves(1) && $0.replicas[2].isAvoided }, atMost: 500) != nil
        #expect(isReached)
        #expect(fleet.replicas[2].isUp && !fleet.replicas[2].mayReassign)
        fleet.setPath(.open, [0, 1])
        let isBack = fleet.run(until: { $0.replicas.allSatisfy { $0.isUp && !$0.isAvoided } }, atMost: 2500) != nil
        #expect(isBack)
    }

    @Test("an old opinion that is no longer true does not count against a backend")
    func staleOpinion() {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.refused, [0, 1])
        fleet.request(at: 0)
        fleet.run(1500)
        #expect(!fleet.replicas[0].isUp && !fleet.replicas[1].isUp)
        // Back for both, who do not know yet, and gone for the third.
        fleet.setPath(.open, [0, 1])
        fleet.setPath(.refused, [2])
        fleet.request(at: 2)
        for _ in 0..<3000 {
            fleet.run(1)
            let leaves = fleet.leaves(2)
            #expect(!leaves)
        }
    }

    @Test("a replica that just came, cut off, has no say before it has asked")
    func newcomer() {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.refused, [0])
        fleet.request(at: 0)
        fleet.run(1000)
        fleet.add()
        fleet.setPath(.refused, [3])
        fleet.request(at: 3)
        for _ in 0..<5000 {
            fleet.run(1)
            let leaves = fleet.leaves(3) || fleet.leaves(0)
            #expect(!leaves)
        }
    }

    @Test("a replica that does not answer abstains after one lease")
    func frozen() throws {
        var fleet = HealthFleet.running(2)
        fleet.replicas[1].isFrozen = true
        fleet.setPath(.refused, [0, 1])
        fleet.request(at: 0)
        let found = fleet.run(until: { $0.leaves(0) }, atMost: 1000)
        let time = try #require(found)
        #expect(time >= HealthFleet.leaseMilliseconds && time <= HealthFleet.leaseMilliseconds + 100)
    }

    @Test("a replica that stops says so: nobody waits for it, and it has no vote")
    func closeReason() throws {
        var fleet = HealthFleet.running(3)
        // The one that goes reaches the backend, and has said so.
        fleet.setPath(.refused, [0, 1])
        fleet.replicas[1].isFrozen = true
        fleet.request(at: 0)
        fleet.run(300)
        #expect(!fleet.leaves(0))
        fleet.leave(2)
        fleet.replicas[1].isFrozen = false
        let found = fleet.run(until: { $0.leaves(0) && $0.leaves(1) }, atMost: 400)
        #expect(found != nil)
        #expect(fleet.replicas[0].health.roster.members.count == 1)
    }

    @Test("a replica that still probes is waited for")
    func stillProbing() {
        var fleet = HealthFleet.running(2)
        fleet.setPath(.refused, [0])
        fleet.setPath(.silent, [1])
        fleet.request(at: 0)
        fleet.run(900)
        #expect(!fleet.replicas[0].isUp && !fleet.leaves(0))
        let isReached = fleet.run(until: { $0.leaves(0) && $0.leaves(1) }, atMost: 200) != nil
        #expect(isReached)
    }

    @Test("nothing is left while the channel is not live, nor on alarms that nobody heard")
    func notLive() {
        var fleet = HealthFleet.running(3)
        fleet.replicas[0].lease = .doubt
        fleet.run(60)
        fleet.setPath(.refused, 0..<3)
        fleet.request(at: 0)
        fleet.run(1000)
        #expect(!fleet.replicas[0].mayReassign && fleet.leaves(1))
        fleet.replicas[0].lease = .live
        let isReached = fleet.run(until: { $0.leaves(0) }, atMost: 600) != nil
        #expect(isReached)

        var mute = HealthFleet.running(3)
        mute.replicas[0].isMute = true
        mute.setPath(.refused, [0])
        mute.request(at: 0)
        mute.run(2900)
        #expect(!mute.leaves(0))
    }

    @Test("after its channel was interrupted a replica asks again, and the answers are the new ones")
    func interrupted() {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.refused, 0..<3)
        fleet.request(at: 0)
        fleet.run(1000)
        #expect((0..<3).allSatisfy(fleet.leaves))
        fleet.resubscribe(0)
        let leaves = fleet.leaves(0)
        #expect(!leaves)
        let isReached = fleet.run(until: { $0.leaves(0) }, atMost: 600) != nil
        #expect(isReached)
    }

    @Test("a replica that was frozen does not take the others' silence for their absence")
    func thawed() {
        var fleet = HealthFleet.running(3)
        fleet.replicas[0].isFrozen = true
        fleet.run(10_000)
        fleet.replicas[0].isFrozen = false
        for _ in 0..<2000 {
            fleet.run(1)
            #expect(!fleet.replicas[0].isAlone)
        }
    }

    @Test("a connection that failed once and is fine is forgotten")
    func blip() {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.refused, [0])
        fleet.request(at: 0)
        fleet.setPath(.open, [0])
        fleet.run(1500)
        #expect(fleet.replicas.allSatisfy { $0.isUp && !$0.mayReassign && !$0.isAvoided })
        let probes = fleet.replicas.map(\.probesAt.count)
        fleet.run(5000)
        #expect(fleet.replicas.map(\.probesAt.count) == probes)
    }

    @Test("replicas that are configured otherwise are noticed, and forgotten when they are gone")
    func configurations() {
        var fleet = HealthFleet(2, configurations: [7, 8])
        fleet.run(100)
        #expect(fleet.replicas.allSatisfy { !$0.agree })
        fleet.replicas[1].isFrozen = true
        fleet.run(3500)
        #expect(fleet.replicas[0].agree)
    }

    @Test("backends that are not configured here, and foreign payloads, are ignored")
    func foreign() {
        var health = HealthFleet(1).replicas[0].health
        let strange = FleetMessage(
            sender: .init(instance: 99, configuration: 7, name: "x", version: "1"), sequence: 1, lease: .live,
            intervalMilliseconds: 1000,
            verdicts: [
                .init(
                    service: ServiceHash(bits: 6), backend: BackendHash(bits: 9), state: .down,
                    alarm: .init(number: 1, isJoined: false), answers: [])
            ])
        let actions = health.received(strange, now: Instant(nanoseconds: 0))
        #expect(!actions.contains { if case .probe = $0 { true } else { false } })
        #expect(health.roster.members.count == 1 && health.ignoredMessages == 0)
        #expect(health.received(strange, now: Instant(nanoseconds: 1)).isEmpty)
        Array("nonsense".utf8).withUnsafeBytes { _ = health.received($0, now: Instant(nanoseconds: 1)) }
        #expect(health.ignoredMessages == 2)
        #expect(
            health.suspected(
                FleetBackend(service: ServiceHash(bits: 3), backend: BackendHash(bits: 9)), now: Instant(nanoseconds: 2)
            ).isEmpty)
    }
}
