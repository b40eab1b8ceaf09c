import Affinity
import Testing

@Suite("The primary that Sentinels name")
struct SentinelTopologyTests {
    private static let a = ServerAddress(host: "10.0.0.1", port: 6379)
    private static let b = ServerAddress(host: "10.0.0.2", port: 6379)
    private static let c = ServerAddress(host: "10.0.0.3", port: 6379)

    /// Sentinels whose answers a test sets, and the time.
    private struct Fleet {
        var topology: SentinelTopology
        var answers: [SentinelTopology.Answer]
        var isInUse = false
        var milliseconds: Int64 = 0
        var used: [ServerAddress] = []
        var confirmed: [ServerAddress] = []
        var rounds = 0

        init(_ answers: [SentinelTopology.Answer]) {
            self.answers = answers
            topology = SentinelTopology(sentinels: answers.count)
        }

        var now: Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

        /// Lets this much time pass. Each Sentinel answers within a millisecond, a silent one never.
        mutating func pass(_ duration: Int64) {
            let end = milliseconds + duration
            while milliseconds < end {
                carryOut(topology.tick(isInUse: isInUse, now: now))
                milliseconds += 1
            }
        }

        private mutating func carryOut(_ actions: [SentinelTopology.Action]) {
            for action in actions {
                switch action {
                case .use(let address): used.append(address)
                case .confirmed(let address, _): confirmed.append(address)
                case .ask(let at):
                    rounds += 1
                    for (sentinel, answer) in answers.enumerated() where answer != .silent {
                        carryOut(
                            topology.answered(answer, by: sentinel, askedAt: at, isInUse: isInUse, now: now))
                    }
                }
            }
        }
    }

    @Test("is the one that a majority names, at the first round")
    func majority() {
        var fleet = Fleet([.primary(Self.a, epoch: 3), .silent, .primary(Self.a, epoch: 3)])
        fleet.pass(1)
        #expect(fleet.used == [Self.a] && fleet.confirmed == [Self.a])
        #expect(fleet.topology.basis == .majority && fleet.topology.primary == Self.a)
        fleet.pass(300)
        #expect(fleet.topology.heard == 2 && fleet.topology.isAgreed)
    }

    @Test("is not what the first Sentinel says if the others contradict it")
    func firstSentinelWrong() {
        var fleet = Fleet([.primary(Self.b, epoch: 1), .primary(Self.a, epoch: 1), .primary(Self.a, epoch: 1)])
        fleet.pass(10_000)
        #expect(fleet.used == [Self.a])
    }

    @Test("is not changed by a minority, whatever epoch it claims, in use or not")
    func lyingMinority() {
        for isInUse in [true, false] {
            var fleet = Fleet(Array(repeating: .primary(Self.a, epoch: 7), count: 3))
            fleet.pass(10)
            fleet.isInUse = isInUse
            fleet.answers[0] = .primary(Self.b, epoch: 1_000_000)
            fleet.pass(30_000)
            #expect(fleet.used == [Self.a])
            fleet.answers = [.primary(Self.b, epoch: 1_000_000), .silent, .silent]
            fleet.pass(30_000)
            #expect(fleet.used == [Self.a])
            #expect(fleet.topology.heard == 1 && !fleet.topology.isAgreed)
        }
    }

    @Test("is changed at once when a majority names another of the same or a higher epoch, in use or not")
    func failover() {
        for (isInUse, epoch) in [(true, 8), (false, 8), (true, 7), (false, 7)] as [(Bool, UInt64)] {
            var fleet = Fleet(Array(repeating: .primary(Self.a, epoch: 7), count: 3))
            fleet.isInUse = isInUse
            fleet.pass(2000)
            fleet.answers = [
                .primary(Self.b, epoch: epoch), .primary(Self.b, epoch: epoch), .primary(Self.a, epoch: 7),
            ]
            fleet.topology.hinted(isCertain: true, now: fleet.now)
            fleet.pass(101)
            #expect(fleet.used == [Self.a, Self.b])
            #expect(fleet.confirmed.last == Self.b)
        }
    }

    @Test("of a lower epoch is followed only after two seconds of agreement")
    func restoredSentinels() {
        var fleet = Fleet(Array(repeating: .primary(Self.a, epoch: 7), count: 3))
        fleet.isInUse = true
        fleet.pass(5001)
        fleet.answers = Array(repeating: .primary(Self.b, epoch: 2), count: 3)
        fleet.pass(5000)
        let contendedAt = fleet.milliseconds
        #expect(fleet.used == [Self.a])
        fleet.pass(1500)
        #expect(fleet.used == [Self.a])
        #expect(!fleet.confirmed.contains(Self.b))
        fleet.pass(1000)
        #expect(fleet.used == [Self.a, Self.b])
        #expect(fleet.milliseconds - contendedAt <= 2500)
    }

    @Test("is kept while a majority answers without agreeing, in use or not, whatever epoch one of them claims")
    func contradiction() {
        for answers: [SentinelTopology.Answer] in [
            [.primary(Self.b, epoch: 1_000_000), .primary(Self.a, epoch: 7), .silent],
            [.primary(Self.c, epoch: 1_000_000), .primary(Self.b, epoch: 8), .primary(Self.a, epoch: 7)],
        ] {
            var fleet = Fleet(Array(repeating: .primary(Self.a, epoch: 7), count: 3))
            fleet.isInUse = true
            fleet.pass(10)
            fleet.answers = answers
            fleet.pass(20_000)
            fleet.isInUse = false
            fleet.pass(20_000)
            #expect(fleet.used == [Self.a] && fleet.topology.basis == .majority)
            #expect(!fleet.topology.isAgreed)
        }
    }

    @Test("is that of the highest epoch at a start if a majority answers without agreeing for half a second")
    func contradictionAtStart() {
        var fleet = Fleet([.primary(Self.a, epoch: 7), .primary(Self.b, epoch: 8), .silent])
        fleet.pass(499)
        #expect(fleet.used.isEmpty)
        fleet.pass(800)
        #expect(fleet.used == [Self.b] && fleet.topology.basis == .highestEpoch && fleet.confirmed.isEmpty)
        fleet.answers[2] = .primary(Self.a, epoch: 7)
        fleet.pass(600)
        #expect(fleet.used == [Self.b, Self.a] && fleet.topology.basis == .majority)
    }

    @Test("is changed at once even if a minority claimed an epoch for the old one that no fail-over reached")
    func inflatedEpoch() {
        var fleet = Fleet([.primary(Self.a, epoch: 1_000_000), .primary(Self.a, epoch: 7), .primary(Self.a, epoch: 7)])
        fleet.pass(10)
        #expect(fleet.used == [Self.a])
        fleet.answers = [.primary(Self.a, epoch: 1_000_000), .primary(Self.b, epoch: 8), .primary(Self.b, epoch: 8)]
        fleet.topology.hinted(isCertain: true, now: fleet.now)
        fleet.pass(400)
        #expect(fleet.used == [Self.a, Self.b])
    }

    @Test("is the best that a minority names only at a start, and only if others had half a second to answer")
    func minorityAtStart() {
        var fleet = Fleet([.silent, .primary(Self.a, epoch: 1), .silent])
        fleet.pass(499)
        #expect(fleet.used.isEmpty)
        fleet.pass(800)
        #expect(fleet.used == [Self.a] && fleet.confirmed.isEmpty)
        #expect(fleet.topology.basis == .minority)
        // What the minority claimed binds nobody once a majority answers.
        fleet.answers = [.primary(Self.b, epoch: 0), .primary(Self.a, epoch: 1), .primary(Self.b, epoch: 0)]
        fleet.pass(600)
        #expect(fleet.used == [Self.a, Self.b] && fleet.topology.basis == .majority)
    }

    @Test("is unknown while no Sentinel names one")
    func unknown() {
        var fleet = Fleet([.unknownName, .unknownName, .silent])
        fleet.pass(5000)
        #expect(fleet.used.isEmpty && fleet.topology.basis == .nothing && fleet.topology.heard == 0)
    }

    @Test("is asked for every 5 s in quiet times, twice a second in doubt, every 100 ms in the second after a hint")
    func pace() {
        var fleet = Fleet(Array(repeating: .primary(Self.a, epoch: 1), count: 3))
        fleet.pass(1)
        fleet.isInUse = true
        fleet.pass(599)
        fleet.rounds = 0
        fleet.pass(60_000)
        #expect(fleet.rounds == 12)
        fleet.topology.hinted(isCertain: false, now: fleet.now)
        fleet.rounds = 0
        fleet.pass(1000)
        #expect((9...11).contains(fleet.rounds))
        fleet.isInUse = false
        fleet.pass(1000)
        fleet.rounds = 0
        // Failed attempts to connect, two a second, do not keep it asking more often.
        for _ in 0..<6 {
            fleet.topology.hinted(isCertain: false, now: fleet.now)
            fleet.pass(500)
        }
        #expect((6...7).contains(fleet.rounds))
    }

    @Test("has those who contradict it named once they have for two seconds, and no longer once they agree")
    func dissent() {
        var fleet = Fleet([.primary(Self.b, epoch: 9), .primary(Self.a, epoch: 1), .primary(Self.a, epoch: 1)])
        fleet.isInUse = true
        fleet.pass(1900)
        #expect(fleet.topology.dissenting(now: fleet.now).isEmpty)
        fleet.pass(400)
        #expect(fleet.topology.dissenting(now: fleet.now) == [0: Self.b])
        // Silence takes nothing back; another word begins anew.
        fleet.answers[0] = .silent
        fleet.pass(6000)
        #expect(fleet.topology.dissenting(now: fleet.now) == [0: Self.b])
        fleet.answers[0] = .primary(Self.c, epoch: 9)
        fleet.pass(6000)
        #expect(fleet.topology.dissenting(now: fleet.now) == [0: Self.c])
        fleet.answers[0] = .primary(Self.a, epoch: 1)
        fleet.pass(6000)
        #expect(fleet.topology.dissenting(now: fleet.now).isEmpty)
        // Of a fail-over that not everybody has heard of nothing is said.
        fleet.answers = [.primary(Self.a, epoch: 1), .primary(Self.b, epoch: 2), .primary(Self.b, epoch: 2)]
        fleet.topology.hinted(isCertain: true, now: fleet.now)
        fleet.pass(900)
        fleet.answers[0] = .primary(Self.b, epoch: 2)
        fleet.pass(6000)
        #expect(fleet.used.last == Self.b && fleet.topology.dissenting(now: fleet.now).isEmpty)
        // A majority that is not followed yet, because its epoch is lower, contradicts nobody; the one who still names
        // the primary in use does.
        fleet.answers = [.primary(Self.b, epoch: 2), .primary(Self.c, epoch: 1), .primary(Self.c, epoch: 1)]
        fleet.topology.hinted(isCertain: true, now: fleet.now)
        for _ in 0..<40 {
            fleet.pass(100)
            #expect(Set(fleet.topology.dissenting(now: fleet.now).keys).isSubset(of: [0]))
        }
        #expect(fleet.used.last == Self.c && fleet.topology.dissenting(now: fleet.now) == [0: Self.b])
    }

    @Test("is judged without the Sentinels that do not answer in time, and late answers count for nothing")
    func lateAnswers() {
        var topology = SentinelTopology(sentinels: 3)
        func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
        #expect(topology.tick(isInUse: false, now: at(0)) == [.ask(at: at(0))])
        let answer = SentinelTopology.Answer.primary(Self.a, epoch: 1)
        #expect(topology.answered(answer, by: 0, askedAt: at(0), isInUse: false, now: at(1)).isEmpty)
        // Twice the same Sentinel, and one that does not exist.
        #expect(topology.answered(answer, by: 0, askedAt: at(0), isInUse: false, now: at(1)).isEmpty)
        #expect(topology.answered(answer, by: 3, askedAt: at(0), isInUse: false, now: at(1)).isEmpty)
        #expect(topology.nextTick == at(250))
        #expect(topology.tick(isInUse: false, now: at(250)).isEmpty)
        #expect(topology.answered(answer, by: 1, askedAt: at(0), isInUse: false, now: at(251)).isEmpty)
        #expect(topology.primary == nil && topology.heard == 1)
        #expect(topology.tick(isInUse: false, now: at(500)) == [.ask(at: at(500))])
        #expect(topology.answered(answer, by: 1, askedAt: at(0), isInUse: false, now: at(501)).isEmpty)
        #expect(topology.answered(answer, by: 2, askedAt: at(500), isInUse: false, now: at(501)).isEmpty)
        #expect(
            topology.answered(answer, by: 1, askedAt: at(500), isInUse: false, now: at(502))
                == [.use(Self.a), .confirmed(Self.a, askedAt: at(500))])
    }
}
