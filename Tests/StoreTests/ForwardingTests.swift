import Affinity
import Foundation
import LimpetTestKit
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Store

@Suite("Loops that forward operations to a loop with a connection", .serialized)
struct ForwardingTests {
    private static let one = BackendHash(bits: 0x1ABC_DEF1)
    private static let two = BackendHash(bits: 2)
    private let key = Fingerprint.test(1)
    private let minute: Int64 = 60_000

    /// - Parameter budget: nil: so long that a slow machine is no reason to be told "late".
    private func with(
        loops: Int = 2, connections: Int = 1, budget: Duration? = nil,
        _ body: (RedisServer, RouterDriver) async throws -> Void
    ) async throws {
        let server = try RedisServer()
        var settings = try StoreSettings.patient(server)
        if let budget { settings.commandTimeout = budget }
        let driver = try RouterDriver(settings, loops: loops, connections: connections)
        try await driver.ready()
        try await body(server, driver)
        try await driver.stop()
    }

    private static func binding(_ result: StoreResult) -> Binding? {
        if case .record(let record) = result { record.binding } else { nil }
    }

    private func touches(_ range: Range<UInt64>) -> [StoreOperation] {
        range.map { .touch(.test($0), lifetimeMilliseconds: minute) }
    }

    /// The connections that Redis has, without that of the asking.
    private func connections(of server: RedisServer) throws -> Int {
        try server.command("CLIENT", "LIST").split(separator: "\n").count { !$0.contains("cmd=client|list") }
    }

    @Test("Every kind of operation has the result that it has on the loop with the connection, and is counted once")
    func results() async throws {
        try await with { server, driver in
            let first = Binding(backend: Self.one, epoch: 1)
            let second = Binding(backend: Self.two, epoch: 2)
            let operations: [StoreOperation] = [
                .create(key, Self.one, lifetimeMilliseconds: minute),
                .rebind(key, from: first, to: Self.two, lifetimeMilliseconds: minute),
                .touch(.test(9), lifetimeMilliseconds: minute), .read(.test(9)),
                .restore(key, Binding(backend: Self.one, epoch: 0), lifetimeMilliseconds: 1),
            ]
            let results = try await driver.last.send(operations)
            #expect(results == [.written, .written, .absent, .absent, .unavailable(.refused)])
            let offered = try await driver.last.send(.offer(key, first, lifetimeMilliseconds: minute))
            #expect(Self.binding(offered) == second)
            #expect(try server.command("GET", "limpet:\(key.text)") == String(second.record))

            let counters = try await driver.last.counters()
            #expect(StoreCounters.Kind.allCases.map(counters.sent) == [1, 1, 1, 1, 1, 0, 1])
            #expect(StoreCounters.Outcome.allCases.map(counters.answered) == [2, 1, 2, 0, 0])
            #expect(counters.latency.count == 5 && counters.connections == 0)
            let own = try await driver.first.counters()
            #expect(StoreCounters.Kind.allCases.allSatisfy { own.sent($0) == 0 })
            #expect(StoreCounters.Outcome.allCases.allSatisfy { own.answered($0) == 0 } && own.latency.count == 0)
            #expect(own.connections == 1)
        }
    }

    @Test("Redis has as many connections as are configured, whatever the number of loops", arguments: [1, 2, 4])
    func connectionCount(_ count: Int) async throws {
        try await with(loops: 16, connections: count) { server, driver in
            for (index, loop) in driver.loops.enumerated() {
                let create = StoreOperation.create(.test(UInt64(index)), Self.one, lifetimeMilliseconds: minute)
                #expect(try await loop.send(create) == .written)
            }
            let found = try connections(of: server)
            #expect(found == count)
            #expect(try await driver.counters().connections == UInt64(count))
        }
    }

    @Test("No more loops than there are have connections")
    func fewLoops() async throws {
        try await with(loops: 2, connections: 4) { server, driver in
            let found = try connections(of: server)
            #expect(found == 2)
            #expect(try await driver.last.send(touches(0..<1)) == [.absent])
        }
    }

    @Test("Operations of one session keep their order, also in one turn of the loop")
    func order() async throws {
        try await with(loops: 3) { _, driver in
            var operations: [StoreOperation] = []
            for number in 0..<200 as Range<UInt64> {
                operations.append(.create(.test(number), Self.one, lifetimeMilliseconds: minute))
                operations.append(.create(.test(number), Self.two, lifetimeMilliseconds: minute))
            }
            let results = try await driver.last.send(operations)
            for number in 0..<200 {
                #expect(results[2 * number] == .written)
                #expect(Self.binding(results[2 * number + 1]) == Binding(backend: Self.one, epoch: 1))
            }
        }
    }

    @Test("The operations of one turn reach Redis together, and leave it together")
    func batches() async throws {
        try await with { server, driver in
            func readEvents() throws -> Int {
                let line = try server.command("INFO", "stats").split(whereSeparator: \.isNewline)
                    .first { $0.hasPrefix("total_reads_processed:") }
                return try #require(line.flatMap { Int($0.dropFirst(22)) })
            }
            let before = try readEvents()
            #expect(try await driver.last.send(touches(0..<500)).allSatisfy { $0 == .absent })
            // Probably one read; the rest is that of the asking.
            #expect(try readEvents() - before <= 6)
        }
    }

    // MARK: Time

    @Test("A frozen Redis holds up nobody for longer than the budget, and is not asked for long")
    func frozen() async throws {
        // The breaker opens before the connection is given up, unless the machine stalls for half a second.
        var isOpenFirst = false
        for _ in 0..<3 where !isOpenFirst {
            try await with(budget: .milliseconds(50)) { server, driver in
                server.freeze()
                let begin = ContinuousClock.now
                let results = try await driver.last.send(touches(0..<5))
                #expect(ContinuousClock.now - begin >= .milliseconds(50))
                // When the connection is given up, those that still wait are told that they are lost.
                #expect(results.allSatisfy { $0 == .unavailable(.late) })
                for loop in driver.loops { try await eventually { try await !loop.isAvailable } }
                isOpenFirst = try await driver.first.counters().connectionFailures == 0
                #expect(try await driver.last.send(touches(0..<1)) == [.unavailable(.away)])
                server.thaw()
                try await driver.ready()
                let late = try await lateUntilAnswered(driver.last)
                #expect(try await driver.counters().failures(.late) == 5 + late)
            }
        }
        #expect(isOpenFirst)
    }

    /// Asks until there is an answer, and returns how often it was late: on a busy machine it may be.
    private func lateUntilAnswered(_ loop: StoreDriver) async throws -> UInt64 {
        var late: UInt64 = 0
        try await eventually {
            let result = try await loop.send(touches(0..<1))[0]
            if result == .unavailable(.late) { late += 1 }
            return result == .absent
        }
        return late
    }

    @Test(
        "A busy loop at the other end holds up nobody beyond the budget, and what nobody waits for is not sent"
    )
    func busyOwner() async throws {
        try await with(budget: .milliseconds(50)) { server, driver in
            let end = await driver.first.block()
            let begin = ContinuousClock.now
            let creates = (0..<5).map { StoreOperation.create(.test($0), Self.one, lifetimeMilliseconds: minute) }
            let results = try await driver.last.send(creates)
            let took = ContinuousClock.now - begin
            #expect(results.allSatisfy { $0 == .unavailable(.late) })
            // The loop is busy for ten seconds.
            #expect(took >= .milliseconds(50) && took < .seconds(3), "\(took)")
            // Nothing has been heard of three: no request waits again.
            #expect(try await !driver.last.isAvailable)
            #expect(try await driver.last.send(touches(0..<1)) == [.unavailable(.away)])
            end.signal()
            try await driver.last.ready()
            _ = try await lateUntilAnswered(driver.last)
            #expect(try server.command("DBSIZE") == "0")
            // The store was not slow: its breaker has not seen them.
            #expect(try await driver.first.isAvailable)
        }
    }

    @Test("A result that waits for a busy loop is not late")
    func busyAsker() async throws {
        try await with(budget: .milliseconds(50)) { _, driver in
            let (loop, touch) = (driver.last.loop, touches(0..<1)[0])
            var answered = 0
            for _ in 0..<10 {
                let promise = loop.makePromise(of: StoreResult.self)
                try await driver.last.run { store in
                    store.send(touch, for: PromiseWaiter(promise))
                    // After it was forwarded: the result comes, and the budget ends, while the loop is busy.
                    loop.execute { Thread.sleep(forTimeInterval: 0.08) }
                }
                if try await promise.futureResult.get() == .absent { answered += 1 }
            }
            #expect(answered >= 8)
        }
    }

    // MARK: Loss

    @Test("The loss of the connection is told to those that wait on other loops, once")
    func lost() async throws {
        try await with { server, driver in
            server.freeze()
            async let results = driver.last.send(touches(0..<10))
            try await eventually { try driver.first.runRedis { $0.depth } >= 10 }
            server.kill()
            #expect(try await results.allSatisfy { $0 == .unavailable(.lost) })
            try await eventually(within: .seconds(1)) { try await !driver.last.isAvailable }
            #expect(try await driver.last.send(touches(0..<1)) == [.unavailable(.away)])
            #expect(try await driver.last.counters().failures(.lost) == 10)
            try server.start()
            try await driver.ready()
            #expect(try await driver.last.send(touches(0..<1)) == [.absent])
        }
    }

    /// Stops something while operations that the last loop has forwarded wait for a frozen Redis. All are told, and no
    /// others are forwarded from then on.
    private func stopWhileWaiting(
        _ stop: (RouterDriver) async throws -> Void, then check: (RedisServer, RouterDriver) async throws -> Void
    ) async throws {
        try await with { server, driver in
            server.freeze()
            async let results = driver.last.send(touches(0..<10))
            try await eventually { try driver.first.runRedis { $0.depth } >= 10 }
            try await stop(driver)
            #expect(try await results.allSatisfy { $0 == .unavailable(.lost) })
            #expect(try await !driver.last.isAvailable)
            #expect(try await driver.last.send(touches(0..<1)) == [.unavailable(.away)])
            try await check(server, driver)
        }
    }

    @Test("A stop tells everybody who waits, before the loop with the connection stops")
    func stop() async throws {
        try await stopWhileWaiting { driver in
            try await driver.last.run { ($0 as? StoreRouter)?.stopForwarding() }
        } then: { server, driver in
            #expect(try await driver.first.isAvailable)
            server.thaw()
            try await eventually { try driver.first.runRedis { $0.depth } == 0 }
        }
    }

    @Test("A stop in the same turn as the asking tells everybody, too")
    func stopAtOnce() async throws {
        try await with { _, driver in
            let promise = driver.last.loop.makePromise(of: StoreResult.self)
            driver.last.loop.scheduleTask(in: .seconds(5)) { promise.fail(NotInTime()) }
            let touch = touches(0..<1)[0]
            try await driver.last.run { store in
                store.send(touch, for: PromiseWaiter(promise))
                (store as? StoreRouter)?.stopForwarding()
            }
            #expect(try await promise.futureResult.get() == .unavailable(.lost))
        }
    }

    @Test("If the loop with the connection stops first, the others are told and go on without the store")
    func ownerStopsFirst() async throws {
        try await stopWhileWaiting { driver in
            try await driver.first.stopStore()
        } then: { server, _ in
            server.thaw()
        }
    }

    @Test("Operations beyond the capacity of the queue are told so, the others answered")
    func full() async throws {
        try await with { _, driver in
            let results = try await driver.last.send(touches(0..<10_050))
            let answered = results.prefix { $0 == .absent }.count
            #expect((9_990...10_000).contains(answered))
            #expect(results.dropFirst(answered).allSatisfy { $0 == .unavailable(.full) })
            #expect(try await driver.last.counters().failures(.full) == UInt64(results.count - answered))
        }
    }

    @Test("A queue that other loops have filled is full for this one")
    func fullOwner() async throws {
        try await with(loops: 3) { server, driver in
            server.freeze()
            async let first = driver.loops[1].send(touches(0..<9_990))
            try await eventually { try driver.first.runRedis { $0.depth } >= 9_990 }
            async let second = driver.loops[2].send(touches(0..<100))
            try await eventually { try await driver.loops[2].counters().failures(.full) > 0 }
            server.thaw()
            #expect(try await first.allSatisfy { $0 == .absent })
            let results = try await second
            #expect(Set(results) == [.absent, .unavailable(.full)])
            #expect((80...100).contains(results.count { $0 == .unavailable(.full) }))
        }
    }

    // MARK: The server

    @Test("Whether the store is available is known on all loops: with the connection, and with the channel's server")
    func availability() async throws {
        try await with(loops: 3) { server, driver in
            let other = ServerIdentity(runID: ServerIdentity.RunID("other"), replicationID: "other")
            driver.primaries[0].link.set(other)
            for loop in driver.loops { try await eventually(within: .seconds(2)) { try await !loop.isAvailable } }
            driver.primaries[0].link.set(nil)
            try await driver.ready()
            server.kill()
            for loop in driver.loops { try await eventually(within: .seconds(2)) { try await !loop.isAvailable } }
        }
    }

    @Test("A result says when it was asked for, and whether it is from the server that the channel hears")
    func stamps() async throws {
        try await with { _, driver in
            let touch = touches(0..<1)[0]
            let before = Instant.now
            let unheard = try await driver.last.stamp(touch)
            #expect(!unheard.isFromChannelServer && unheard.sentAt >= before && unheard.sentAt <= .now)

            let (coherence, cache) = (Coherence(primaries: 1), BindingCache(entries: 100))
            let loop = driver.first.loop
            let channel = try driver.first.runRedis { redis in
                let channel = RedisChannel(
                    store: redis, instance: InstanceID(random: 7), coherence: coherence, cache: cache,
                    logger: Logger(label: "test") { _ in driver.lines.handler })
                channel.start()
                return NIOLoopBound(channel, eventLoop: loop)
            }
            try await eventually { coherence.isLive(primary: 0, now: .now) }
            let heard = try await driver.last.stamp(touch)
            #expect(heard.isFromChannelServer && coherence.covers(heard.sentAt, of: key, now: .now))
            try await loop.flatSubmit { channel.value.stop() }.get()
        }
    }

    @Test("An operation that was asked before a new generation and sent after it began belongs to the one before")
    func generation() async throws {
        try await with { _, driver in
            let end = await driver.first.block()
            let touch = touches(0..<1)[0]
            async let stamp = driver.last.stamp(touch)
            try await eventually { try await driver.last.counters().sent(.touch) == 1 }
            let began = Instant.now
            end.signal()
            #expect(try await stamp.sentAt <= began)
        }
    }

    // MARK: All together

    @Test("Each session goes to the primary that holds it, from each loop, and one primary's loss is not the other's")
    func primaries() async throws {
        let servers = [try RedisServer(), try RedisServer()]
        let primaries = try servers.enumerated().map { index, server in
            try RedisPrimary(.patient(server), number: index, connections: 2)
        }
        let driver = try RouterDriver(primaries, loops: 3, connections: 2)
        let map = PrimaryMap(count: 2)
        let sessions = (0..<60).map { Fingerprint.test($0) }
        for loop in driver.loops {
            for session in sessions.prefix(2) {
                try await eventually { try await loop.run { $0.isAvailable(for: session) } }
            }
        }
        for (index, session) in sessions.enumerated() {
            let create = StoreOperation.create(session, Self.one, lifetimeMilliseconds: minute)
            #expect(try await driver.loops[index % 3].send(create) == .written)
            let holder = map.primary(of: session)
            #expect(try servers[holder].command("EXISTS", "limpet:\(session.text)") == "1")
            #expect(try servers[1 - holder].command("EXISTS", "limpet:\(session.text)") == "0")
        }
        #expect(try await driver.counters().sent(.create) == 60)
        servers[1].kill()
        for loop in driver.loops {
            for session in sessions {
                let isHeld = map.primary(of: session) == 0
                try await eventually(within: .seconds(2)) {
                    try await loop.run { $0.isAvailable(for: session) } == isHeld
                }
            }
        }
        try await driver.stop()
    }

    @Test("Under load, with connections that are lost, every waiter has one result and it is its own")
    func history() async throws {
        try await with(loops: 8, connections: 2) { server, driver in
            let killer = Task {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(60))
                    _ = try? await Threads.run { try server.command("CLIENT", "KILL", "TYPE", "normal") }
                }
            }
            let loops = driver.loops
            let outcomes = try await withThrowingTaskGroup(of: [(UInt64, Int, StoreResult)].self) { group in
                for (index, loop) in loops.enumerated() {
                    group.addTask { try await self.load(loop, index) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            killer.cancel()
            _ = await killer.value
            try check(outcomes)
            #expect(try await driver.counters().sent(.create) == 8 * 60 * 40)
        }
    }

    /// Creates the same sessions as the other loops, in another order. Each backend is named after session and loop.
    private func load(_ loop: StoreDriver, _ index: Int) async throws -> [(UInt64, Int, StoreResult)] {
        var random = SplitMix(seed: UInt64(index))
        var outcomes: [(UInt64, Int, StoreResult)] = []
        for _ in 0..<60 {
            let sessions = (0..<40).map { _ in random.next() % 300 }
            let results = try await loop.send(
                sessions.map {
                    .create(.test($0), Self.backend(of: $0, loop: index), lifetimeMilliseconds: minute)
                })
            for (session, result) in zip(sessions, results) { outcomes.append((session, index, result)) }
            // Until there is a connection again.
            if results.contains(.unavailable(.away)) { try await Task.sleep(for: .milliseconds(20)) }
        }
        return outcomes
    }

    private static func backend(of session: UInt64, loop: Int) -> BackendHash {
        BackendHash(bits: UInt32(1000 + session * 8) + UInt32(loop))
    }

    private func check(_ outcomes: [(UInt64, Int, StoreResult)]) throws {
        var found: [UInt64: Set<BackendHash>] = [:]
        var (written, records) = ([UInt64: Int](), 0)
        for (session, loop, result) in outcomes {
            switch result {
            case .written:
                written[session, default: 0] += 1
                found[session, default: []].insert(Self.backend(of: session, loop: loop))
            case .record(let record):
                records += 1
                #expect((0..<8).contains { Self.backend(of: session, loop: $0) == record.binding.backend })
                found[session, default: []].insert(record.binding.backend)
            case .unavailable(.lost), .unavailable(.away): break
            default: Issue.record("\(result)")
            }
        }
        #expect(written.values.allSatisfy { $0 == 1 } && found.values.allSatisfy { $0.count == 1 })
        #expect(records > 1000 && written.count > 100, "\(records), \(written.count)")
    }
}

private final class PromiseWaiter: StoreWaiter {
    private let promise: EventLoopPromise<StoreResult>

    init(_ promise: EventLoopPromise<StoreResult>) { self.promise = promise }

    func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        promise.succeed(result)
    }
}
