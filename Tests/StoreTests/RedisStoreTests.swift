import Affinity
import LimpetTestKit
import Logging
import NIOCore
import Testing

@testable import Store

@Suite("The store in a real Redis", .serialized)
struct RedisStoreTests {
    private static let one = BackendHash(bits: 0x1ABC_DEF1)
    private static let two = BackendHash(bits: 2)
    private let key = Fingerprint.test(1)
    private let minute: Int64 = 60_000
    private var name: String { "limpet:\(key.text)" }

    private func with(
        _ settings: [String] = [], _ body: (RedisServer, StoreDriver) async throws -> Void
    ) async throws {
        let server = try RedisServer(settings)
        let driver = try StoreDriver.redis(StoreSettings.patient(server))
        try await driver.ready()
        try await body(server, driver)
        try await driver.stop()
    }

    @Test(
        "Redis knows the scripts by the names we give them",
        arguments: [RedisScript.restore, .rebind, .drop, .heartbeat, .announce])
    func scriptNames(_ script: RedisScript) throws {
        #expect(try RedisServer().command("SCRIPT", "LOAD", script.source) == script.sha1)
    }

    @Test("The store holds the namespace, the fingerprint and a number with a lifetime, and nothing else")
    func contents() async throws {
        try await with { server, store in
            let create = StoreOperation.create(key, Self.one, lifetimeMilliseconds: minute)
            let other = Binding(backend: Self.two, epoch: 3)
            _ = try await store.send([create, .restore(.test(2), other, lifetimeMilliseconds: minute)])
            let keys = try server.command("--scan").split(separator: "\n")
            #expect(Set(keys) == ["limpet:\(key.text)"[...], "limpet:\(Fingerprint.test(2).text)"[...]])
            for key in keys {
                #expect(try server.command("OBJECT", "ENCODING", String(key)) == "int")
                #expect(try (1...60_000).contains(Int(server.command("PTTL", String(key))) ?? -1))
            }
            #expect(try server.command("GET", name) == String(Binding(backend: Self.one, epoch: 1).record))
        }
    }

    @Test("A script that the store forgot is sent whole, once")
    func forgottenScripts() async throws {
        try await with { server, store in
            let binding = Binding(backend: Self.one, epoch: 2)
            try server.command("SCRIPT", "FLUSH")
            #expect(try await store.send(.restore(key, binding, lifetimeMilliseconds: minute)) == .written)
            let before = try server.command("INFO", "commandstats")
            #expect(before.contains("cmdstat_eval:calls=1,"))
            let third = Binding(backend: Self.one, epoch: 3)
            #expect(try await store.send(.restore(key, third, lifetimeMilliseconds: minute)) == .written)
            #expect(try server.command("INFO", "commandstats").contains("cmdstat_eval:calls=1,"))
        }
    }

    @Test(
        "What Limpet would not write is foreign to a create and a touch, and nothing to the scripts",
        arguments: [
            "hello", "", "0", "007", "+5", "16777216", "16776216", "9007199254740992", "9007199254740993",
            "99999999999999999999", "1e3", "16777217:", "16777217:0", "16777217:07", "16777217:4294967296",
        ])
    func foreignValues(_ value: String) async throws {
        try await with { server, store in
            try server.command("SET", name, value)
            #expect(try await store.send(.create(key, Self.one, lifetimeMilliseconds: minute)) == .foreign)
            #expect(try await store.send(.touch(key, lifetimeMilliseconds: minute)) == .foreign)
            let first = Binding(backend: Self.one, epoch: 1)
            #expect(try await store.send(.restore(key, first, lifetimeMilliseconds: minute)) == .written)
            try server.command("SET", name, value)
            #expect(
                try await store.send(.rebind(key, from: first, to: Self.two, lifetimeMilliseconds: minute)) == .written)
            #expect(try server.command("GET", name) == String(Binding(backend: Self.two, epoch: 2).record))
            #expect(try (1...60_000).contains(Int(server.command("PTTL", name)) ?? -1))
        }
    }

    @Test("A value of another type is foreign, and replaced by the scripts")
    func wrongType() async throws {
        try await with { server, store in
            try server.command("LPUSH", name, "x")
            #expect(try await store.send(.create(key, Self.one, lifetimeMilliseconds: minute)) == .foreign)
            #expect(try await store.send(.touch(key, lifetimeMilliseconds: minute)) == .foreign)
            let first = Binding(backend: Self.one, epoch: 1)
            #expect(try await store.send(.restore(key, first, lifetimeMilliseconds: minute)) == .written)
            #expect(try server.command("TYPE", name) == "string")
        }
    }

    @Test("A look takes no notice of what is wrong but to say so")
    func looks() async throws {
        try await with { server, store in
            let record = String(Binding(backend: Self.one, epoch: 1).record)
            try server.command("SET", name, "hello", "PX", "50000")
            #expect(try await store.send(.read(key)) == .foreign)
            #expect(try server.command("GET", name) == "hello")
            #expect(try (1...50_000).contains(Int(server.command("PTTL", name)) ?? -1))
            try server.command("SET", name, record)
            let forever = StoreResult.record(Binding(backend: Self.one, epoch: 1), remainingMilliseconds: .max)
            #expect(try await store.send(.read(key)) == forever)
            #expect(try server.command("PTTL", name) == "-1")
            try server.command("DEL", name)
            try server.command("LPUSH", name, "x")
            #expect(try await store.send(.read(key)) == .foreign)
            #expect(try server.command("LLEN", name) == "1")
            server.kill()
            try await eventually { try await !store.isAvailable }
            #expect(try await store.send(.read(key)) == .unavailable(.away))
        }
    }

    @Test("A look is answered where nothing may be written")
    func looksWithoutWrites() async throws {
        try await with { server, store in
            _ = try await store.send(.create(key, Self.one, lifetimeMilliseconds: minute))
            try server.command("CONFIG", "SET", "min-replicas-to-write", "1")
            guard case .record(let record) = try await store.send(.read(key)),
                record.binding == Binding(backend: Self.one, epoch: 1), record.createdAtSeconds == nil
            else {
                Issue.record("the record was not read")
                return
            }
        }
    }

    @Test("A record without a lifetime is given one by whoever meets it")
    func noLifetime() async throws {
        try await with { server, store in
            let first = Binding(backend: Self.one, epoch: 1)
            let operations: [StoreOperation] = [
                .create(key, Self.two, lifetimeMilliseconds: minute),
                .offer(key, Binding(backend: Self.two, epoch: 5), lifetimeMilliseconds: minute),
                .restore(key, first, lifetimeMilliseconds: minute),
                .rebind(key, from: Binding(backend: Self.two, epoch: 1), to: Self.two, lifetimeMilliseconds: minute),
                .touch(key, lifetimeMilliseconds: minute),
            ]
            for operation in operations {
                try server.command("SET", name, String(first.record))
                #expect(try await store.send(operation) == .record(first, remainingMilliseconds: minute))
                #expect(try (1...60_000).contains(Int(server.command("PTTL", name)) ?? -1))
            }
        }
    }

    @Test("A move is published with its value, a create, an offer and a touch are silent")
    func publication() async throws {
        try await with { server, store in
            let received = try Listener(server.port, channel: "limpet:rebind")
            try await received.subscribed()
            let first = Binding(backend: Self.one, epoch: 1)
            let tombstone = Binding(backend: .tombstone, epoch: 3)
            _ = try await store.send(.create(key, Self.one, lifetimeMilliseconds: minute))
            _ = try await store.send(.touch(key, lifetimeMilliseconds: minute))
            let offer = StoreOperation.offer(.test(2), tombstone, lifetimeMilliseconds: minute)
            #expect(try await store.send(offer) == .written)
            _ = try await store.send(.rebind(key, from: first, to: Self.two, lifetimeMilliseconds: minute))
            _ = try await store.send(.rebind(key, from: first, to: Self.one, lifetimeMilliseconds: minute))
            _ = try await store.send(.restore(key, Binding(backend: Self.one, epoch: 9), lifetimeMilliseconds: minute))
            let values = [Binding(backend: Self.two, epoch: 2), Binding(backend: Self.one, epoch: 9)]
            let expected = values.map { "\(key.text) \($0.record)" }
            try await eventually { received.messages.count >= 2 }
            #expect(received.messages == expected)
            try await received.stop()
        }
    }

    @Test("A full store is read, and otherwise as if it were away")
    func outOfMemory() async throws {
        try await with { server, store in
            _ = try await store.send(.create(key, Self.one, lifetimeMilliseconds: minute))
            try server.command("CONFIG", "SET", "maxmemory", "1")
            try await expectRefusals(store)
            try server.command("CONFIG", "SET", "maxmemory", "0")
            #expect(try await store.send(.create(.test(5), Self.one, lifetimeMilliseconds: minute)) == .written)
        }
    }

    @Test("A primary that has become a replica is read once, and not asked until it is a primary again")
    func readOnly() async throws {
        try await with { server, store in
            _ = try await store.send(.create(key, Self.one, lifetimeMilliseconds: minute))
            try server.command("REPLICAOF", "127.0.0.1", "1")
            let first = Binding(backend: Self.one, epoch: 1)
            let results = try await store.send([
                .create(key, Self.two, lifetimeMilliseconds: minute),
                .rebind(key, from: first, to: Self.two, lifetimeMilliseconds: minute),
                .drop(.test(2), above: 1, lifetimeMilliseconds: minute),
            ])
            for result in results.prefix(2) {
                guard case .readOnly(let record) = result, record.binding == first, record.createdAtSeconds == nil,
                    (1...60_000).contains(record.remainingMilliseconds)
                else {
                    Issue.record("\(result)")
                    continue
                }
            }
            #expect(results[2] == .unavailable(.refused))
            #expect(try await store.send(.touch(key, lifetimeMilliseconds: minute)) == .unavailable(.away))
            try await eventually { try await store.counters().connectionFailures >= 2 }
            #expect(store.lines.all.contains { $0.contains("the server is a replica") })
            try server.command("REPLICAOF", "NO", "ONE")
            try await store.ready()
            #expect(try await store.send(.create(.test(5), Self.one, lifetimeMilliseconds: minute)) == .written)
        }
    }

    @Test("Too few replicas: a write is refused, the record read")
    func tooFewReplicas() async throws {
        try await with { server, store in
            _ = try await store.send(.create(key, Self.one, lifetimeMilliseconds: minute))
            try server.command("CONFIG", "SET", "min-replicas-to-write", "1")
            try await expectRefusals(store)
        }
    }

    /// Of `key`, the store holds the binding to `one`; it refuses writes.
    private func expectRefusals(_ store: StoreDriver) async throws {
        let first = Binding(backend: Self.one, epoch: 1)
        let refused = StoreResult.unavailable(.refused)
        let known = try await store.send([
            .create(key, Self.two, lifetimeMilliseconds: minute),
            .rebind(key, from: first, to: Self.two, lifetimeMilliseconds: minute),
            .restore(key, Binding(backend: Self.two, epoch: 2), lifetimeMilliseconds: minute),
        ])
        for result in known {
            guard case .readOnly(let record) = result, record.binding == first, record.createdAtSeconds == nil,
                (1...60_000).contains(record.remainingMilliseconds)
            else {
                Issue.record("\(result)")
                continue
            }
        }
        let unknown = try await store.send([
            .create(.test(2), Self.two, lifetimeMilliseconds: minute),
            .rebind(.test(2), from: first, to: Self.two, lifetimeMilliseconds: minute),
            .restore(.test(2), Binding(backend: Self.two, epoch: 2), lifetimeMilliseconds: minute),
        ])
        #expect(unknown == [refused, refused, refused])
        let counters = try await store.counters()
        #expect(counters.refusals >= 6)
        #expect(counters.failures(.refused) == 3)
        #expect(store.lines.all.filter { $0.contains("rejects commands") }.count == 1)
    }

    @Test("Over TCP and over a Unix socket, with password, user and database")
    func endpoints() async throws {
        let server = try RedisServer()
        try server.command(
            "ACL", "SETUSER", "limpet", "on", ">hush", "~limpet:*", "&limpet:*", "+@all", "-@dangerous", "+info")
        let urls = [
            "redis://127.0.0.1:\(server.port)", "unix://\(server.socketPath)",
            "redis://limpet:hush@127.0.0.1:\(server.port)/3", "unix://limpet:hush@\(server.socketPath)?db=4",
        ]
        for url in urls {
            var settings = try StoreSettings.patient(server)
            settings.endpoint = try RedisEndpoint(url)
            let store = try StoreDriver.redis(settings)
            try await store.ready()
            let binding = Binding(backend: Self.one, epoch: 2)
            // The first two share a database.
            let result = try await store.send(.restore(key, binding, lifetimeMilliseconds: minute))
            #expect(result == .written, "\(url)")
            try await store.stop()
            try server.command("-n", "0", "DEL", name)
        }
        #expect(try server.command("-n", "3", "EXISTS", name) == "1")
        #expect(try server.command("-n", "4", "EXISTS", name) == "1")
    }

    @Test("A user needs no more rights than these")
    func narrowRights() async throws {
        let server = try RedisServer()
        try server.command(
            "ACL", "SETUSER", "limpet", "on", ">hush", "~limpet:*", "&limpet:*", "+set", "+get", "+getrange", "+getex",
            "+pttl",
            "+pexpire", "+eval", "+evalsha", "+publish", "+scan", "+ping", "+info", "+select")
        var settings = try StoreSettings.patient(server)
        settings.endpoint = try RedisEndpoint("redis://limpet:hush@127.0.0.1:\(server.port)/1")
        let store = try StoreDriver.redis(settings)
        try await store.ready()
        let first = Binding(backend: Self.one, epoch: 1)
        let results = try await store.send([
            .create(key, Self.one, lifetimeMilliseconds: minute),
            .rebind(key, from: first, to: Self.two, lifetimeMilliseconds: minute),
            .restore(.test(2), Binding(backend: Self.one, epoch: 2), lifetimeMilliseconds: minute),
        ])
        #expect(results == [.written, .written, .written])
        guard case .page = try await store.scan(from: 0) else {
            Issue.record("no page")
            return
        }
        try await store.stop()
    }

    @Test("A node of a cluster is named as one, and not used", arguments: [0, 1])
    func cluster(_ database: Int) async throws {
        let server = try RedisServer(RedisServer.clusterNode())
        let store = try StoreDriver.redis("redis://127.0.0.1:\(server.port)/\(database)")
        try await eventually { try await store.counters().connectionFailures >= 2 }
        #expect(try await !store.isAvailable)
        #expect(try await store.send(.touch(key, lifetimeMilliseconds: minute)) == .unavailable(.away))
        #expect(
            store.lines.all == [
                "warning The store is unavailable. reason=the server is a Redis Cluster node, which is not supported yet; "
                    + "use a standalone Redis store=redis://127.0.0.1:\(server.port)/\(database)"
            ])
        try await store.stop()
    }

    @Test(
        "Whatever keeps it from being used is said once, and never with the password",
        arguments: [
            ("redis://:hush@127.0.0.1:PORT", "the username or password is wrong"),
            ("redis://nobody:hush@127.0.0.1:PORT", "the username or password is wrong"),
            ("redis://127.0.0.1:PORT", "the server requires a password"),
            ("redis://:right@127.0.0.1:PORT/99", "database 99 does not exist"),
        ])
    func errors(_ url: String, _ reason: String) async throws {
        let server = try RedisServer(["--requirepass", "right"])
        let store = try StoreDriver.redis(url.replacing("PORT", with: String(server.port)))
        try await eventually { try await store.counters().connectionFailures >= 3 }
        #expect(try await !store.isAvailable)
        #expect(try await store.send(.touch(key, lifetimeMilliseconds: minute)) == .unavailable(.away))
        let warnings = store.lines.all.filter { $0.hasPrefix("warning") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains(reason) == true)
        #expect(!store.lines.all.contains { $0.contains("hush") || $0.contains("right") })
        try await store.stop()
    }

    @Test("A frozen store: every question is answered at its budget, the breaker opens, and it is used again")
    func frozen() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.plain(port: server.port))
        try await store.ready()
        server.freeze()
        let operations = (1...200).map { StoreOperation.touch(.test($0), lifetimeMilliseconds: minute) }
        let begin = ContinuousClock.now
        let results = try await store.send(operations)
        let spent = ContinuousClock.now - begin
        // When the connection is closed, those that still wait are told that they are lost.
        #expect(results == operations.map { _ in .unavailable(.late) })
        #expect(spent >= .milliseconds(20))
        #expect(try await !store.isAvailable)
        #expect(try await store.send(operations[0]) == .unavailable(.away))
        // The connection is closed half a second after the oldest command.
        try await eventually(within: .seconds(4)) { try await store.counters().connectionFailures >= 1 }
        #expect(ContinuousClock.now - begin >= .milliseconds(500))
        // Attempts are paced: two a second at most, after the loss.
        try await Task.sleep(for: .seconds(1))
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        #expect(try await Double(store.counters().connectionFailures) <= 2 + 2 * seconds)
        server.thaw()
        try await store.ready()
        try await eventually { try await store.send(operations[0]) == .absent }
        #expect(store.lines.all.filter { $0.contains("The store is available.") }.count == 2)
        try await store.stop()
    }

    @Test("A killed store: whoever waits is told at once, nothing is sent while it is away, and it is used again")
    func killed() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.plain(port: server.port))
        try await store.ready()
        server.freeze()
        let operations = (1...100).map { StoreOperation.touch(.test($0), lifetimeMilliseconds: minute) }
        async let results = store.send(operations)
        try await eventually { try await store.counters().sent(.touch) == 100 }
        server.kill()
        let begin = ContinuousClock.now
        let possible: Set<StoreResult> = [.unavailable(.lost), .unavailable(.late)]
        #expect(try await Set(results).isSubset(of: possible))
        try await eventually(within: .seconds(1)) { try await !store.isAvailable }
        #expect(try await store.send(operations[0]) == .unavailable(.away))
        // It is tried again, two times a second at most, after the loss.
        try await eventually { try await store.counters().connectionFailures >= 3 }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        #expect(try await Double(store.counters().connectionFailures) <= 2 + 2 * seconds)
        try server.start()
        try await store.ready()
        try await eventually { try await store.send(operations[0]) == .absent }
        let warnings = store.lines.all.filter { $0.hasPrefix("warning") }
        #expect(warnings.count == Set(warnings).count)
        try await store.stop()
    }

    @Test("Questions beyond the capacity of the queue are told so, the others answered")
    func fullQueue() async throws {
        try await with { _, store in
            let operations = (0..<10_050).map { StoreOperation.touch(.test(UInt64($0)), lifetimeMilliseconds: minute) }
            let results = try await store.send(operations)
            let answered = results.prefix { $0 == .absent }.count
            #expect((9_990...10_000).contains(answered))
            #expect(results.dropFirst(answered).allSatisfy { $0 == .unavailable(.full) })
        }
    }

    @Test("A stop answers everybody who waits, and nobody is asked any more")
    func stop() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.patient(server))
        try await store.ready()
        server.freeze()
        async let results = store.send((1...10).map { .touch(.test($0), lifetimeMilliseconds: minute) })
        try await eventually { try await store.counters().sent(.touch) == 10 }
        try await store.stop()
        #expect(try await results.allSatisfy { $0 == .unavailable(.lost) })
        server.thaw()
    }

    @Test("Many loops share one store, its pacing and its log")
    func manyLoops() async throws {
        let server = try RedisServer()
        let primary = try RedisPrimary(StoreSettings.plain(port: server.port), connections: 4)
        var stores: [StoreDriver] = []
        for _ in 0..<4 { stores.append(try StoreDriver.redis(primary)) }
        for store in stores { try await store.ready() }
        server.kill()
        let begin = ContinuousClock.now
        func failures() async throws -> UInt64 {
            var failures: UInt64 = 0
            for store in stores { failures += try await store.counters().connectionFailures }
            return failures
        }
        // Four losses, and two attempts a second.
        try await eventually { try await failures() >= 4 + 2 }
        try await Task.sleep(for: .milliseconds(500))
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        #expect(try await Double(failures()) <= 4 + 1 + 2 * seconds)
        try server.start()
        for store in stores { try await store.ready() }
        let warnings = stores.flatMap(\.lines.all).filter { $0.hasPrefix("warning") }
        #expect(warnings.count == Set(warnings).count)
        for store in stores { try await store.stop() }
    }

    @Test("A primary that is away neither slows nor silences another")
    func twoPrimaries() async throws {
        let server = try RedisServer()
        let away = try StoreDriver.redis(RedisPrimary(.plain(port: LoopbackPort.free()), connections: 1))
        try await eventually { try await away.counters().connectionFailures > 0 }
        let there = try StoreDriver.redis(RedisPrimary(.plain(port: server.port), number: 1, connections: 1))
        try await there.ready()
        #expect(try await there.counters().connectionFailures == 0)
        #expect(try await !away.isAvailable)
        #expect(there.lines.all == ["info The store is available. store=redis://127.0.0.1:\(server.port)/0"])
        for store in [away, there] { try await store.stop() }
    }

    @Test("What is asked, answered and missed is counted")
    func counting() async throws {
        try await with { _, store in
            let first = Binding(backend: Self.one, epoch: 1)
            _ = try await store.send([
                .create(key, Self.one, lifetimeMilliseconds: minute),
                .create(key, Self.one, lifetimeMilliseconds: minute),
                .touch(.test(9), lifetimeMilliseconds: minute),
                .rebind(key, from: first, to: Self.two, lifetimeMilliseconds: minute),
                .restore(key, first, lifetimeMilliseconds: minute),
                .restore(key, Binding(backend: Self.one, epoch: 0), lifetimeMilliseconds: 1), .read(key),
                .read(.test(9)), .offer(key, first, lifetimeMilliseconds: minute),
            ])
            let counters = try await store.counters()
            #expect(StoreCounters.Kind.allCases.map(counters.sent) == [2, 1, 2, 1, 1, 0, 2])
            #expect(StoreCounters.Outcome.allCases.map(counters.answered) == [2, 4, 2, 0, 0])
            #expect(StoreFailure.allCases.map(counters.failures) == [0, 0, 0, 1, 0])
            #expect(counters.latency.count == 8)
            #expect(counters.connections == 1)
        }
    }
}
