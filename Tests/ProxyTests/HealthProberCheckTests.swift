import Affinity
import LimpetTestKit
import NIOCore
import NIOEmbedded
import Testing

@testable import Proxy

@Suite("The replica's prober with health checks")
struct HealthProberCheckTests {
    /// Writes down what it is told.
    private final class Judge: HealthObserver {
        var words: [String] = []
        /// Its word on a probe that found the backend down.
        var countsAsDown = true

        func suspected(_ backend: BackendState) { words.append("suspected") }
        func changed(_ backend: BackendState) { words.append(backend.isUp ? "up" : "down") }
        func probed(_ backend: BackendState, isUp: Bool) -> Bool {
            words.append(isUp ? "probed: up" : "probed: down")
            return countsAsDown && !isUp
        }
    }

    private static let check = HealthCheck(path: "/h", pace: CheckPace(intervalMilliseconds: 100, rise: 1, fall: 2))

    /// A prober of backends b0 and b1 on a loop whose timers the test fires.
    private final class Scene {
        let loop = EmbeddedEventLoop()
        let judge = Judge()
        let prober: HealthProber
        private(set) var services: [Service]
        private let checkers: Checkers
        /// Connections that were asked for.
        let pendingConnects: Connects

        final class Connects {
            var pending: [(FailingReason?) -> Void] = []
            var timeouts: [TimeAmount] = []
        }
        /// By backend, the latest for each.
        private final class Checkers {
            var made: [(name: String, checker: HeldChecker)] = []
        }

        init(_ check: HealthCheck? = HealthProberCheckTests.check) throws {
            let described = Described(backends: [.init("b0", 1), .init("b1", 2)], healthCheck: check)
            let snapshot = try described.snapshot(ProxyHarness.Options(), succeeding: [])
            services = snapshot.services
            let checkers = Checkers()
            self.checkers = checkers
            let connects = Connects()
            prober = HealthProber(
                loop: LoopOfItsOwn.context(on: loop), snapshot: snapshot,
                connect: {
                    connects.timeouts.append($1)
                    connects.pending.append($2)
                },
                makeChecker: { backend, _ in
                    let checker = HeldChecker()
                    checkers.made.append((backend.name, checker))
                    return checker
                })
            self.pendingConnects = connects
            prober.judge = judge
        }

        func apply(
            _ backends: [Described.Backend], _ check: HealthCheck?, passive: PassiveHealthCheck? = nil,
            connectTimeout: TimeAmount? = .seconds(1)
        ) throws {
            let described = Described(backends: backends, healthCheck: check)
            var options = ProxyHarness.Options()
            options.passiveHealthCheck = passive
            options.serviceLimits.pool.connectTimeout = connectTimeout
            let snapshot = try described.snapshot(options, succeeding: services)
            services = snapshot.services
            prober.reconfigured(snapshot)
        }

        var made: Int { checkers.made.count }

        func checker(_ name: String) throws -> HeldChecker {
            try #require(checkers.made.last { $0.name == name }).checker
        }

        func state(_ index: Int) -> BackendState { services[0].health.backends[index] }
    }

    @Test("checks every backend at once, and one whose checks fail often enough is down until one is good")
    func verdicts() throws {
        let scene = try Scene()
        let (first, second) = try (scene.checker("b0"), scene.checker("b1"))
        #expect(first.isPending && second.isPending)
        first.end(.status(503))
        second.end(nil)
        #expect(scene.state(0).isUp && scene.judge.words == [])
        scene.prober.probe(scene.state(0))
        first.end(.timedOut)
        #expect(scene.state(0).causes == .failing && scene.state(0).failingReasons == [.timedOut])
        #expect(scene.judge.words == ["probed: down"] && scene.state(1).isUp)
        scene.prober.probe(scene.state(0))
        first.end(nil)
        #expect(scene.state(0).isUp && scene.judge.words == ["probed: down", "probed: up"])
        #expect(scene.state(0).checkCounts[.good] == 1 && scene.state(0).checkCounts[.status] == 1)
        #expect(scene.state(0).checkCounts[.timeout] == 1)
    }

    @Test("answers the fleet by a check over a new connection, and by one result for both where the check has a port")
    func answers() throws {
        let scene = try Scene()
        let checker = try scene.checker("b0")
        checker.end(nil)
        scene.prober.probe(scene.state(0))
        #expect(scene.pendingConnects.pending.isEmpty && checker.freshCount == 1)
        checker.end(.status(500), hasConnected: true)
        #expect(scene.judge.words == ["probed: down"])
        #expect(scene.state(0).causes == .failing, "the fleet finds it down: that counts at once")
        var elsewhere = Self.check
        elsewhere.port = 9000
        let other = try Scene(elsewhere)
        try other.checker("b0").end(nil)
        other.prober.probe(other.state(0))
        try other.checker("b0").end(nil)
        #expect(other.judge.words == [])
        other.pendingConnects.pending[0](.connectFailed)
        #expect(other.judge.words == ["probed: down"] && other.state(0).causes == .unreachable)
    }

    @Test("does not count a failed check that the fleet asked for where the fleet does not find it down")
    func outvoted() throws {
        let scene = try Scene()
        scene.judge.countsAsDown = false
        try scene.checker("b0").end(nil)
        scene.prober.probe(scene.state(0))
        try scene.checker("b0").end(.status(500))
        #expect(scene.judge.words == ["probed: down"] && scene.state(0).isUp)
    }

    @Test("ends that a backend is unreachable by a check that connects, but not by one over a kept connection")
    func reachable() throws {
        let scene = try Scene()
        let checker = try scene.checker("b0")
        checker.end(nil)
        scene.prober.evidence.report(.unreachable, scene.state(0))
        scene.prober.probe(scene.state(0))
        checker.end(nil, hasConnected: false)
        #expect(scene.state(0).causes == .unreachable)
        scene.prober.probe(scene.state(0))
        checker.end(.status(503), hasConnected: true)
        #expect(scene.state(0).causes == .failing)
    }

    @Test("goes on with the same settings, begins anew with others, and then forgets nothing it found")
    func reload() throws {
        let scene = try Scene()
        let backends = [Described.Backend("b0", 1), .init("b1", 2)]
        let checker = try scene.checker("b0")
        checker.end(nil)
        scene.prober.probe(scene.state(0))
        checker.end(.status(500))
        #expect(scene.state(0).causes == .failing)
        try scene.apply(backends, Self.check)
        #expect(scene.made == 2 && !checker.isStopped)
        var changed = Self.check
        changed.path = "/other"
        try scene.apply(backends, changed)
        #expect(scene.made == 4 && checker.isStopped && scene.state(0).causes == .failing)
        #expect(scene.state(1).isUp && !scene.state(1).isNewcomer)
        let late = checker.isPending
        checker.end(nil)
        #expect(!late && scene.state(0).causes == .failing)
        try scene.checker("b0").end(nil)
        #expect(scene.state(0).isUp && scene.judge.words.last == "up")
    }

    @Test("the fleet's question is answered though the check changes meanwhile, or is taken away")
    func reloadUnderQuestion() throws {
        let backends = [Described.Backend("b0", 1), .init("b1", 2)]
        var changed = Self.check
        changed.path = "/other"
        let scene = try Scene()
        try scene.checker("b0").end(nil)
        scene.prober.probe(scene.state(0))
        try scene.apply(backends, changed)
        #expect(scene.judge.words == [])
        try scene.checker("b0").end(.status(500))
        #expect(scene.judge.words == ["probed: down"])
        let other = try Scene()
        try other.checker("b0").end(nil)
        other.prober.probe(other.state(0))
        try other.apply(backends, nil)
        #expect(other.judge.words == [] && other.pendingConnects.pending.count == 1)
        let connected = try #require(other.pendingConnects.pending.first)
        connected(nil)
        #expect(other.judge.words == ["probed: up"])
    }

    @Test("requests that stop to count leave a failing backend to its check")
    func passiveTakenAway() throws {
        let backends = [Described.Backend("b0", 1), .init("b1", 2)]
        let scene = try Scene()
        try scene.checker("b0").end(nil)
        try scene.apply(backends, Self.check, passive: PassiveHealthCheck())
        scene.prober.evidence.report(.requestFailed(.closed), scene.state(0))
        #expect(!scene.state(0).isUp)
        try scene.apply(backends, Self.check)
        #expect(!scene.state(0).isUp, "only a good check says that it works")
        scene.prober.probe(scene.state(0))
        try scene.checker("b0").end(nil)
        #expect(scene.state(0).isUp)
    }

    @Test("a check that is taken away leaves no backend failing, and one that is added takes effect at once")
    func switched() throws {
        let scene = try Scene()
        let backends = [Described.Backend("b0", 1), .init("b1", 2)]
        scene.prober.probe(scene.state(0))
        try scene.checker("b0").end(.closed)
        #expect(scene.state(0).causes == .failing)
        try scene.apply(backends, nil)
        #expect(scene.state(0).isUp && scene.judge.words.last == "up")
        try scene.apply(backends, Self.check)
        try #expect(scene.checker("b0").isPending && !scene.state(0).isNewcomer)
    }

    @Test("a backend that is added while the replica runs waits for its first good check, all others are known")
    func newcomers() throws {
        let scene = try Scene()
        #expect(!scene.state(0).isNewcomer)
        try scene.apply([.init("b0", 1), .init("b2", 3)], Self.check)
        #expect(!scene.state(0).isNewcomer && scene.state(1).isNewcomer && scene.state(1).isUp)
        try scene.apply([.init("b0", 1), .init("b2", 3)], Self.check)
        #expect(scene.state(1).isNewcomer)
        try scene.checker("b2").end(nil)
        #expect(!scene.state(1).isNewcomer)
        try scene.apply([.init("b0", 1), .init("b3", 4)], Self.check)
        #expect(scene.state(1).isNewcomer)
        try scene.apply([.init("b0", 1), .init("b3", 4)], nil)
        #expect(!scene.state(1).isNewcomer, "nobody would find out")
        try scene.apply([.init("b0", 1), .init("b4", 5)], nil)
        #expect(!scene.state(1).isNewcomer)
    }

    @Test("probes and checks wait for a connection as long as a request does, for five seconds at most")
    func connectTimeouts() throws {
        let scene = try Scene()
        let backends = [Described.Backend("b0", 1)]
        let checker = try scene.checker("b0")
        #expect(checker.connectTimeout == .seconds(1))
        let limits: [(TimeAmount?, TimeAmount)] = [
            (.milliseconds(200), .milliseconds(200)), (.seconds(3), .seconds(3)), (.seconds(30), .seconds(5)),
            (nil, .seconds(5)),
        ]
        for (configured, expected) in limits {
            try scene.apply(backends, Self.check, connectTimeout: configured)
            checker.end(nil)
            scene.prober.probe(scene.state(0))
            #expect(try scene.checker("b0") === checker && checker.connectTimeout == expected)
            checker.end(nil)
        }
        try scene.apply(backends, nil, connectTimeout: .milliseconds(300))
        scene.prober.probe(scene.state(0))
        #expect(scene.pendingConnects.timeouts == [.milliseconds(300)])
    }

    @Test("what is not configured any more is no longer checked")
    func gone() throws {
        let scene = try Scene()
        let checker = try scene.checker("b1")
        try scene.apply([.init("b0", 1)], Self.check)
        #expect(checker.isStopped)
        scene.prober.stop()
        try #expect(scene.checker("b0").isStopped)
    }
}
