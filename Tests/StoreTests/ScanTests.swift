import Affinity
import LimpetTestKit
import NIOCore
import Testing

@testable import Store

@Suite("Scans of the store", .serialized)
struct ScanTests {
    private let backend = BackendHash(bits: 5)
    private let minute: Int64 = 60_000

    /// All pages from the first to the last.
    private func pages(_ store: StoreDriver) async throws -> [ScanPage] {
        var pages: [ScanPage] = []
        repeat {
            guard case .page(let page) = try await store.scan(from: pages.last?.next ?? 0) else {
                Issue.record("no page after \(pages.count)")
                break
            }
            pages.append(page)
        } while pages.last?.next != 0
        return pages
    }

    @Test("A scan meets every record, and counts what else has the form of a key")
    func wholeStore() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.patient(server))
        try await store.ready()
        #expect(try await pages(store) == [ScanPage(next: 0, fingerprints: [], strangers: 0)])
        let fingerprints = (1...3000).map { Fingerprint.test($0) }
        _ = try await store.send(fingerprints.map { .create($0, backend, lifetimeMilliseconds: minute) })
        // Other namespaces, other lengths, and the right length with letters that no fingerprint has.
        for key in ["limpet:era", "limpet2:\(fingerprints[0].text)", "limpet:\(fingerprints[0].text)x", "x"] {
            try server.command("SET", key, "1")
        }
        try server.command("SET", "limpet:" + String(repeating: "!", count: 22), "1")
        try server.command("SET", "limpet:" + String(repeating: "B", count: 22), "1")
        let pages = try await pages(store)
        #expect(Set(pages.flatMap(\.fingerprints)) == Set(fingerprints))
        #expect(pages.reduce(0) { $0 + $1.strangers } == 2)
        #expect(pages.count >= 10)
        let counters = try await store.counters()
        #expect(StoreCounters.Kind.allCases.reduce(0) { $0 + counters.sent($1) } == 3000)
        try await store.stop()
    }

    @Test("Without the permission a scan is refused, and the connection stays in use, without a word in the log")
    func noPermission() async throws {
        let server = try RedisServer()
        try server.command("ACL", "SETUSER", "limpet", "on", ">hush", "~limpet:*", "&limpet:*", "+@all", "-scan")
        var settings = try StoreSettings.patient(server)
        settings.endpoint = try RedisEndpoint("redis://limpet:hush@127.0.0.1:\(server.port)")
        let store = try StoreDriver.redis(settings)
        try await store.ready()
        #expect(try await store.scan(from: 0) == .refused)
        #expect(try await store.scan(from: 0) == .refused)
        #expect(try await store.isAvailable)
        #expect(try await store.counters().connections == 1)
        #expect(try await store.counters().refusals == 0)
        #expect(!store.lines.all.contains { $0.contains("rejects") })
        try await store.stop()
    }

    @Test("A value too long for any record is foreign to the read that meets it, and costs nothing else")
    func longValue() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.patient(server))
        try await store.ready()
        let fingerprints = (1...3).map { Fingerprint.test($0) }
        _ = try await store.send(fingerprints.map { .create($0, backend, lifetimeMilliseconds: minute) })
        try server.command("SET", "limpet:\(fingerprints[1].text)", String(repeating: "1", count: 100_000))
        let results = try await store.send(fingerprints.map { .read($0) })
        #expect(results[1] == .foreign)
        for index in [0, 2] {
            if case .record = results[index] {} else { Issue.record("\(results[index])") }
        }
        #expect(try await store.counters().connections == 1)
        try await store.stop()
    }

    @Test("A scan is not sent while the store is away, and one that is in flight then is lost")
    func away() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.patient(server))
        try await store.ready()
        server.freeze()
        async let reply = store.scan(from: 0)
        try await eventually { try store.runRedis { $0.depth } == 1 }
        // At most one is in flight.
        #expect(try await store.scan(from: 0) == nil)
        server.kill()
        #expect(try await reply == .lost)
        try await eventually(within: .seconds(2)) { try await !store.isAvailable }
        #expect(try await store.scan(from: 0) == nil)
        try await store.stop()
    }

    @Test("A scan is not sent while the breaker is open, and a slow one does not open it")
    func breaker() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.plain(port: server.port))
        try await store.ready()
        server.freeze()
        async let reply = store.scan(from: 0)
        try await eventually { try store.runRedis { $0.depth } == 1 }
        try await Task.sleep(for: .milliseconds(100))
        #expect(try await store.isAvailable)
        server.thaw()
        #expect(try await reply == .page(ScanPage(next: 0, fingerprints: [], strangers: 0)))
        server.freeze()
        let operations = (1...3).map { StoreOperation.touch(.test($0), lifetimeMilliseconds: minute) }
        #expect(try await store.send(operations) == operations.map { _ in .unavailable(.late) })
        #expect(try await store.scan(from: 0) == nil)
        server.thaw()
        try await store.ready()
        #expect(try await store.scan(from: 0) != nil)
        try await store.stop()
    }

    /// Says `response` to the first scan, and what is right to all else.
    private func hostile(_ response: HostileStore.Response) async throws -> (HostileStore, StoreDriver) {
        let hostile = try await HostileStore { command, connection in
            switch command[0] {
            case "SCAN": connection == 1 && command[1] == "7" ? response : .bytes("*2\r\n$1\r\n0\r\n*0\r\n")
            case "GETEX": .bytes("$-1\r\n")
            default: .honest
            }
        }
        var settings = try StoreSettings.plain(port: hostile.port)
        settings.commandTimeout = .seconds(2)
        // So that a connection without a reply ends before its server counts as silent.
        settings.lease = .seconds(10)
        let store = try StoreDriver.redis(settings)
        try await store.ready()
        return (hostile, store)
    }

    private static func page(_ cursor: String, _ keys: [String] = []) -> String {
        "*2\r\n$\(cursor.utf8.count)\r\n\(cursor)\r\n*\(keys.count)\r\n"
            + keys.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
    }

    @Test(
        "An array that is no page is malformed, and the connection stays in use",
        arguments: [
            "*0\r\n", "*1\r\n$1\r\n0\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n", "*2\r\n:0\r\n*0\r\n",
            "*2\r\n$1\r\n0\r\n$1\r\nx\r\n", "*2\r\n$1\r\n0\r\n*-1\r\n", "*2\r\n$-1\r\n*0\r\n",
            "*2\r\n*0\r\n$1\r\n0\r\n", "*3\r\n$1\r\n0\r\n*0\r\n*0\r\n", "*2\r\n$1\r\n0\r\n*1\r\n:1\r\n",
            "*2\r\n$1\r\n0\r\n*1\r\n$-1\r\n", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nx\r\n*1\r\n$1\r\nx\r\n", page(""),
            page("-1"), page("+1"), page("01"), page("00"), page("1 "), page(" 1"), page("x"),
            page("18446744073709551616"), page("99999999999999999999"), page("184467440737095516150"),
        ])
    func malformed(_ reply: String) async throws {
        let (hostile, store) = try await hostile(.bytes(reply))
        #expect(try await store.scan(from: 7) == .malformed)
        #expect(try await store.send(.touch(.test(1), lifetimeMilliseconds: minute)) == .absent)
        #expect(try await store.scan(from: 0) == .page(ScanPage(next: 0, fingerprints: [], strangers: 0)))
        #expect(hostile.connections == 1)
        try await store.stop()
        try await hostile.stop()
    }

    @Test("The largest cursor and a page of a thousand keys are read")
    func largePage() async throws {
        let fingerprints = (1...1000).map { Fingerprint.test($0) }
        let reply = Self.page("18446744073709551615", fingerprints.map { "limpet:\($0.text)" } + ["", "limpet:"])
        let (hostile, store) = try await hostile(.bytes(reply))
        let page = ScanPage(next: .max, fingerprints: fingerprints, strangers: 2)
        #expect(try await store.scan(from: 7) == .page(page))
        try await store.stop()
        try await hostile.stop()
    }

    @Test(
        "A page that is too large is said to be so, and ends the connection",
        arguments: [
            HostileStore.Response.bytes("*2\r\n$1\r\n0\r\n*100000\r\n"), .bytes("*1000000000\r\n"),
            .bytes(page("0", Array(repeating: "x", count: 2046))),
            .bytes(page("0", Array(repeating: String(repeating: "x", count: 9000), count: 40))),
            .bytes(page("0", [String(repeating: "x", count: 40_000)])),
        ])
    func tooLarge(_ response: HostileStore.Response) async throws {
        let (hostile, store) = try await hostile(response)
        #expect(try await store.scan(from: 7) == .tooLarge)
        try await eventually {
            let isBack = try await store.isAvailable
            return hostile.connections == 2 && isBack
        }
        #expect(try await store.scan(from: 0) == .page(ScanPage(next: 0, fingerprints: [], strangers: 0)))
        try await store.stop()
        try await hostile.stop()
    }

    @Test(
        "A reply that answers nothing ends the connection, and the scan is lost",
        arguments: [
            HostileStore.Response.bytes("+OK\r\n"), .bytes(":1\r\n"), .bytes("$-1\r\n"), .bytes("$1\r\n0\r\n"),
            .bytes("garbage\r\n"), .bytesAndClose(""), .bytesAndClose("*2\r\n$1\r\n0\r\n*5\r\n$1\r\n"), .nothing,
        ])
    func lost(_ response: HostileStore.Response) async throws {
        let (hostile, store) = try await hostile(response)
        #expect(try await store.scan(from: 7) == .lost)
        try await eventually { hostile.connections == 2 }
        try await store.stop()
        try await hostile.stop()
    }

    @Test("A stop loses the scan in flight")
    func stop() async throws {
        let (hostile, store) = try await hostile(.nothing)
        async let reply = store.scan(from: 7)
        try await eventually { try store.runRedis { $0.depth } == 1 }
        try await store.stop()
        #expect(try await reply == .lost)
        try await hostile.stop()
    }
}
