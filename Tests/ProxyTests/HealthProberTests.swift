import Affinity
import LimpetTestKit
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import Testing

@testable import Proxy

@Suite("The replica's prober")
struct HealthProberTests {
    private static func context(_ loop: any EventLoop) -> LoopContext {
        LoopContext(
            eventLoop: loop, entryPoints: 1, limits: ProxyLimits(), replicaName: "r",
            exchangeLog: nil, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func snapshot(_ backends: [Described.Backend]) throws -> Snapshot {
        try Described(backends: backends).snapshot(ProxyHarness.Options(), succeeding: [])
    }

    /// Connections that a prober has asked for, and what the test says of them.
    private final class Attempts {
        private(set) var count = 0
        private var pending: [(FailingReason?) -> Void] = []

        func connect(_ backend: Backend, _ timeout: TimeAmount, _ then: @escaping (FailingReason?) -> Void) {
            count += 1
            pending.append(then)
        }

        func end(isReachable: Bool) {
            let ending = pending
            pending = []
            for then in ending { then(isReachable ? nil : .connectFailed) }
        }
    }

    /// Writes down what it is told. Its word is that a backend counts as down.
    private final class Judge: HealthObserver {
        var words: [String] = []

        func suspected(_ backend: BackendState) { words.append("suspected") }
        func changed(_ backend: BackendState) { words.append(backend.isUp ? "up" : "down") }
        func probed(_ backend: BackendState, isUp: Bool) -> Bool {
            words.append(isUp ? "probed: up" : "probed: down")
            return true
        }
    }

    /// A prober of one backend on a loop whose time stands still.
    private struct Scene {
        let attempts = Attempts()
        let judge = Judge()
        let prober: HealthProber
        let state: BackendState

        init() throws {
            let snapshot = try HealthProberTests.snapshot([.init("b0", 1)])
            let attempts = attempts
            prober = HealthProber(
                loop: HealthProberTests.context(EmbeddedEventLoop()), snapshot: snapshot, connect: attempts.connect,
                makeChecker: { _, _ in HeldChecker() })
            prober.judge = judge
            state = snapshot.services[0].health.backends[0]
        }
    }

    @Test("reports of many loops at once make one try a second, and the first that succeeds ends them")
    func manyLoops() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 4)
        let loops = group.makeIterator().map { $0 }
        let snapshot = try Self.snapshot([.init("b0", closedPort())])
        let state = snapshot.services[0].health.backends[0]
        let times = Mutex<[ContinuousClock.Instant]>([])
        let evidence = try await loops[0].submit {
            HealthProber(
                loop: Self.context(loops[0]), snapshot: snapshot,
                connect: { _, _, then in
                    let count = times.withLock { times in
                        times.append(.now)
                        return times.count
                    }
                    then(count == 3 ? nil : .connectFailed)
                },
                makeChecker: { _, _ in HeldChecker() }
            ).evidence
        }.get()
        let start = ContinuousClock.now
        for loop in loops {
            loop.execute {
                for _ in 0..<10 {
                    state.begin(.unreachable)
                    evidence.report(.unreachable, state)
                }
            }
        }
        try await #expect(eventually { state.isUp && times.withLock { $0.count } == 3 })
        for (number, time) in times.withLock({ $0 }).enumerated() {
            #expect(time - start >= .milliseconds(1000 * (number + 1)), "try \(number + 1)")
        }
        try await group.shutdownGracefully()
    }

    @Test("what the judge wants to know is one try with the one under way, and no news besides")
    func wanted() throws {
        let scene = try Scene()
        scene.prober.probe(scene.state)
        scene.prober.probe(scene.state)
        #expect(scene.attempts.count == 1)
        scene.attempts.end(isReachable: false)
        #expect(scene.judge.words == ["probed: down"])
        #expect(scene.state.causes == .unreachable, "the judge says that it counts")
        scene.prober.probe(scene.state)
        scene.attempts.end(isReachable: true)
        #expect(scene.attempts.count == 2)
        #expect(scene.judge.words == ["probed: down", "probed: up"])
        #expect(scene.state.isUp)
    }

    @Test("a loop's reports are told to the judge once; a suspicion ends with the connection that is made")
    func reports() throws {
        let scene = try Scene()
        let evidence = scene.prober.evidence
        evidence.report(.suspected, scene.state)
        evidence.report(.reachable, scene.state)
        evidence.report(.unreachable, scene.state)
        evidence.report(.unreachable, scene.state)
        #expect(scene.judge.words == ["suspected", "up", "down"])
        evidence.report(.reachable, scene.state)
        #expect(scene.judge.words.last == "up" && scene.state.isUp)
        #expect(scene.attempts.count == 0)
    }

    @Test("a connection that is made does not answer a check that fails")
    func failing() throws {
        let scene = try Scene()
        scene.state.begin(.failing)
        scene.prober.evidence.report(.unreachable, scene.state)
        #expect(scene.state.causes == [.failing, .unreachable])
        scene.prober.probe(scene.state)
        scene.attempts.end(isReachable: true)
        #expect(scene.state.causes == .failing)
        #expect(scene.judge.words == ["down", "probed: down"])
        scene.prober.evidence.report(.reachable, scene.state)
        #expect(scene.judge.words.last == "down")
    }

    @Test("what is not configured any more is neither tried nor spoken of")
    func gone() throws {
        let scene = try Scene()
        scene.prober.probe(scene.state)
        try scene.prober.reconfigured(Self.snapshot([.init("b0", 2)]))
        scene.attempts.end(isReachable: false)
        scene.prober.probe(scene.state)
        scene.prober.evidence.report(.unreachable, scene.state)
        #expect(scene.attempts.count == 1)
        #expect(scene.judge.words == [] && scene.state.isUp)
    }
}
