import Affinity
import LimpetTestKit
import Synchronization
import TLS
import Testing

@testable import Store

/// What a source was told and what it says.
private final class ScriptedSource: EndpointSource {
    private let script: Mutex<[RedisEndpoint?]>
    private let told = Mutex<[ConnectionFailure?]>([])

    /// - Parameter script: its answers, of which the last is given again and again.
    init(_ script: [RedisEndpoint?]) { self.script = Mutex(script) }

    var failures: [ConnectionFailure?] { told.withLock { $0 } }

    func next(after failure: ConnectionFailure?) -> RedisEndpoint? {
        told.withLock { $0.append(failure) }
        return script.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? nil }
    }
}

@Suite("When and where to connect again")
struct ReconnectStateTests {
    private let one = RedisEndpoint(address: .host("one", port: 1))
    private let two = RedisEndpoint(address: .host("two", port: 2))

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// A connection that serves since 0.
    private func serving(_ source: ScriptedSource) -> ReconnectState {
        var state = ReconnectState()
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: .max) == .resolve(one))
        #expect(state.resolved(count: 1) == .connect(0, isLast: true))
        #expect(state.connected() && state.greeted(now: at(0)))
        return state
    }

    @Test("A connection is made, greets and serves; when it is lost another one is made after a wait")
    func life() {
        let source = ScriptedSource([one])
        var state = serving(source)
        #expect(state.phase == .serving(since: at(0)) && state.endpoint == one)
        #expect(state.failed(.closed, now: at(10), random: .max) == .wait(100))
        #expect(state.phase == .waiting)
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: .max) == .resolve(one))
        #expect(state.phase == .resolving)
        #expect(state.resolved(count: 1) == .connect(0, isLast: true) && state.phase == .connecting)
        #expect(state.failed(.connectTimeout, now: at(20), random: .max) == .wait(200))
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: .max) == .resolve(one))
        _ = state.resolved(count: 1)
        #expect(state.connected() && state.phase == .greeting)
        #expect(state.failed(.notRedis, now: at(30), random: .max) == .wait(400))
    }

    @Test(
        "When the primary is at another endpoint, a wait and an attempt are given up at once, and a connection is ended"
    )
    func endpointChanged() {
        let source = ScriptedSource([one])
        var idle = ReconnectState()
        expect(idle.endpointChanged(to: two), .doNothing)

        var waiting = serving(source)
        _ = waiting.failed(.closed, now: at(10), random: .max)
        expect(waiting.endpointChanged(to: two), .tryAgain)
        let moved = ScriptedSource([two])
        expect(waiting.attemptIsDue(from: moved, isAdmitted: true, random: .max), .resolve(two))
        // What failed at the old endpoint is no news about the new one.
        #expect(moved.failures == [nil])

        // While the name is looked up, and while a connection is made.
        expect(waiting.endpointChanged(to: two), .doNothing)
        expect(waiting.endpointChanged(to: one), .tryAgain)
        expect(waiting.attemptIsDue(from: source, isAdmitted: true, random: .max), .resolve(one))
        expect(waiting.resolved(count: 2), .connect(0, isLast: false))
        expect(waiting.endpointChanged(to: one), .doNothing)
        expect(waiting.endpointChanged(to: two), .tryAgain)
        #expect(waiting.phase == .waiting)

        for isGreeted in [false, true] {
            var connected = serving(source)
            if !isGreeted {
                _ = connected.failed(.closed, now: at(10), random: .max)
                _ = connected.attemptIsDue(from: source, isAdmitted: true, random: .max)
                _ = connected.resolved(count: 2)
                let isWanted = connected.connected()
                #expect(isWanted)
            }
            expect(connected.endpointChanged(to: one), .doNothing)
            expect(connected.endpointChanged(to: two), .end)
            // The end comes back as a failure, after which neither another address nor a wait follows.
            expect(connected.failed(.replaced, now: at(20), random: .max), .tryAgain)
            expect(connected.attemptIsDue(from: moved, isAdmitted: true, random: .max), .resolve(two))
        }
        var stopped = serving(source)
        stopped.stop()
        expect(stopped.endpointChanged(to: two), .doNothing)
    }

    private func expect(_ action: ReconnectState.Action, _ expected: ReconnectState.Action) {
        #expect(action == expected)
    }

    @Test("Waits are short again after a connection that held for five seconds, or that has shown its worth")
    func goodConnections() {
        let source = ScriptedSource([one])
        var state = serving(source)
        #expect(state.failed(.closed, now: at(4999), random: .max) == .wait(100))
        _ = state.attemptIsDue(from: source, isAdmitted: true, random: .max)
        _ = state.resolved(count: 1)
        #expect(state.connected() && state.greeted(now: at(5000)))
        #expect(state.failed(.closed, now: at(9999), random: .max) == .wait(200))
        _ = state.attemptIsDue(from: source, isAdmitted: true, random: .max)
        _ = state.resolved(count: 1)
        #expect(state.connected() && state.greeted(now: at(10_000)))
        #expect(state.failed(.closed, now: at(15_000), random: .max) == .wait(100))
        _ = state.attemptIsDue(from: source, isAdmitted: true, random: .max)
        _ = state.resolved(count: 1)
        #expect(state.connected() && state.greeted(now: at(20_000)))
        state.proved()
        #expect(state.failed(.closed, now: at(20_001), random: .max) == .wait(100))
    }

    @Test("An attempt that the pace does not admit waits; the pace is asked only where one would be made")
    func pace() {
        let source = ScriptedSource([nil, one])
        var state = ReconnectState()
        var asked = 0
        func refuses() -> Bool {
            asked += 1
            return false
        }
        #expect(state.attemptIsDue(from: source, isAdmitted: refuses(), random: .max) == .wait(100))
        #expect(asked == 0 && state.endpoint == nil)
        #expect(state.attemptIsDue(from: source, isAdmitted: refuses(), random: .max) == .wait(200))
        #expect(asked == 1 && state.endpoint == nil)
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: .max) == .resolve(one))
        #expect(state.attemptIsDue(from: source, isAdmitted: refuses(), random: .max) == .doNothing)
        #expect(asked == 1 && source.failures == [nil, nil, nil])
    }

    @Test("The source is told of each failure once, and says where to go next")
    func source() {
        let source = ScriptedSource([one, two])
        var state = serving(source)
        _ = state.failed(.replica, now: at(1), random: 0)
        #expect(state.attemptIsDue(from: source, isAdmitted: false, random: 0) == .wait(0))
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: 0) == .resolve(two))
        #expect(state.endpoint == two)
        _ = state.failed(.connectTimeout, now: at(2), random: 0)
        _ = state.attemptIsDue(from: source, isAdmitted: true, random: 0)
        #expect(
            source.failures == [
                nil, ConnectionFailure(endpoint: one, error: .replica), nil,
                ConnectionFailure(endpoint: two, error: .connectTimeout),
            ])
    }

    @Test("All addresses of a name are tried at once, whatever was wrong with the one before; then there is a wait")
    func addresses() {
        let source = ScriptedSource([one])
        var state = ReconnectState()
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: .max) == .resolve(one))
        #expect(state.resolved(count: 4) == .connect(0, isLast: false))
        #expect(state.failed(.connectTimeout, now: at(1), random: .max) == .connect(1, isLast: false))
        #expect(state.connected() == true)
        #expect(state.failed(.replica, now: at(2), random: .max) == .connect(2, isLast: false))
        #expect(state.failed(.tls(.otherName), now: at(3), random: .max) == .connect(3, isLast: true))
        #expect(state.connected() == true)
        #expect(state.failed(.closed, now: at(4), random: .max) == .wait(100))
        // The first of them is tried first again, and one that serves ends the search.
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: .max) == .resolve(one))
        #expect(state.resolved(count: 2) == .connect(0, isLast: false))
        #expect(state.connected() && state.greeted(now: at(5)))
        #expect(state.failed(.closed, now: at(6), random: .max) == .wait(200))
        #expect(source.failures == [nil, ConnectionFailure(endpoint: one, error: .closed)])
    }

    @Test("A lookup that fails is an attempt that failed; of very many addresses the first are tried")
    func lookups() {
        let source = ScriptedSource([one])
        var state = ReconnectState()
        _ = state.attemptIsDue(from: source, isAdmitted: true, random: .max)
        #expect(state.failed(.unreachable("no address"), now: at(1), random: .max) == .wait(100))
        _ = state.attemptIsDue(from: source, isAdmitted: true, random: .max)
        var action = state.resolved(count: 1000)
        for index in 0..<ReconnectState.mostAddresses {
            #expect(action == .connect(index, isLast: index + 1 == ReconnectState.mostAddresses))
            action = state.failed(.closed, now: at(2), random: .max)
        }
        #expect(action == .wait(200))
    }

    @Test("Once stopped nothing is made or kept any more")
    func stopped() {
        let source = ScriptedSource([one])
        var state = ReconnectState()
        _ = state.attemptIsDue(from: source, isAdmitted: true, random: 0)
        state.stop()
        #expect(state.resolved(count: 1) == .doNothing)
        #expect(!state.connected() && !state.greeted(now: at(1)))
        #expect(state.failed(.closed, now: at(1), random: 0) == .doNothing)
        #expect(state.attemptIsDue(from: source, isAdmitted: true, random: 0) == .doNothing)
        #expect(state.phase == .stopped && source.failures.count == 1)
    }

    @Test("What comes at the wrong time changes nothing")
    func wrongTime() {
        var state = ReconnectState()
        #expect(!state.connected() && !state.greeted(now: at(0)))
        #expect(state.failed(.closed, now: at(0), random: 0) == .doNothing)
        #expect(state.phase == .idle)
        state = serving(ScriptedSource([one]))
        #expect(!state.connected() && !state.greeted(now: at(9)) && state.resolved(count: 2) == .doNothing)
        #expect(state.phase == .serving(since: at(0)))
    }

    @Test("A store goes where its source sends it, as the user and to the database of that endpoint")
    func follows() async throws {
        let server = try RedisServer()
        let dead = try RedisEndpoint("redis://127.0.0.1:\(LoopbackPort.free())")
        let source = try ScriptedSource([dead, RedisEndpoint("redis://127.0.0.1:\(server.port)/3")])
        let settings = StoreSettings(endpoint: dead, commandTimeout: .seconds(5))
        let store = try StoreDriver.redis(RedisPrimary(settings, endpoints: source, connections: 1))
        try await store.ready()
        #expect(try await store.send(.create(.test(1), BackendHash(bits: 1), lifetimeMilliseconds: 60_000)) == .written)
        #expect(try server.command("-n", "3", "DBSIZE") == "1")
        #expect(store.lines.all.last == "info The store is available. store=redis://127.0.0.1:\(server.port)/3")
        #expect(source.failures.first == .some(nil))
        #expect(source.failures.compactMap(\.self).map(\.endpoint) == [dead])
        try await store.stop()
    }
}
