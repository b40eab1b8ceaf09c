import Affinity
import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Reasons")
struct ReasonTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"
    private static let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// What is known of one exchange once it is over.
    private struct Outcome {
        let entry: ExchangeLogEntry
        let counters: WorkerCounters
        let lines: [String]

        var failures: [Reason: UInt64] { counters.services["app"]?.failures ?? [:] }
        var backendFailures: [Reason: UInt64] { counters.backendFailures["app"]?["b0"] ?? [:] }
    }

    /// Runs `client` against a proxy before such a backend; returns what the proxy says of the first exchange.
    private static func outcome(
        of script: @escaping ScriptedBackend.Script, _ options: ProxyHarness.Options = .init(), port: Int? = nil,
        client: @escaping @Sendable (TCPSocket) throws -> Void
    ) async throws -> Outcome {
        let backend = try ScriptedBackend(script: script)
        defer { backend.close() }
        let (exchanges, log) = (RecordedExchanges(), RecordedLog())
        var options = options
        options.isSticky = false
        options.exchangeLog = exchanges
        options.logger = log.logger
        var counters: WorkerCounters?
        try await withProxy(to: [port ?? backend.port], options) { proxy in
            try client(try proxy.connect())
            try #require(Waiting.until(within: 10) { !exchanges.all.isEmpty })
            counters = try await proxy.counters()
        }
        return Outcome(
            entry: try #require(exchanges.all.first), counters: try #require(counters),
            lines: log.lines.filter { $0.hasPrefix("A request to a backend failed.") })
    }

    private static func times(_ change: (inout ProxyHarness.Options) -> Void) -> ProxyHarness.Options {
        var options = ProxyHarness.Options()
        change(&options)
        return options
    }

    // MARK: Requests

    @Test(
        "a head that is refused is logged with what is wrong, and nothing of it",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", Reason.badRequest, 400, "no Host header in an HTTP/1.1 request"),
            ("GET /secret HTTP/3.0\r\n\r\n", .versionNotSupported, 505, "the version is neither HTTP/1.0 nor HTTP/1.1"),
            ("GET /\(String(repeating: "a", count: 17_000))", .uriTooLong, 414, "the first line is too long"),
        ])
    func refusedHead(request: String, reason: Reason, status: Int, detail: String) async throws {
        let outcome = try await Self.outcome(of: { _, _ in }) { client in
            try client.send(request)
            _ = try client.receiveAll()
        }
        #expect(outcome.entry.cause == Cause(reason, detail) && outcome.entry.status == status)
        #expect(outcome.entry.target.isEmpty && outcome.entry.method.isEmpty && outcome.entry.service == nil)
        #expect(outcome.counters.refused == [reason: 1] && outcome.lines.isEmpty)
    }

    @Test("a head that does not come is logged")
    func lateHead() async throws {
        let outcome = try await Self.outcome(
            of: { _, _ in }, Self.times { $0.entryPoint.headTimeout = .milliseconds(100) }
        ) {
            try $0.send("GET / HT")
            _ = try $0.receiveAll()
        }
        #expect(outcome.entry.cause == Cause(.requestTimeout) && outcome.entry.status == 408)
    }

    @Test("what no router and no path takes has a reason")
    func unrouted() async throws {
        for (path, reason) in [("/a/../b", Reason.dotSegment), ("/", .noRoute)] {
            var options = ProxyHarness.Options()
            options.rule = "Host(`other`)"
            let outcome = try await Self.outcome(of: { _, _ in }, options) {
                try $0.send("GET \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                _ = try $0.receiveAll()
            }
            #expect(outcome.entry.cause == Cause(reason) && outcome.counters.refused == [reason: 1])
        }
    }

    @Test("a body that breaks the framing, or does not come, is the client's fault")
    func clientBody() async throws {
        let wait: ScriptedBackend.Script = { connection, _ in _ = try connection.receiveAll() }
        let broken = try await Self.outcome(of: wait) {
            try $0.send(Self.chunked + "zz\r\n")
            _ = try $0.receiveAll()
        }
        #expect(broken.entry.cause == Cause(.requestBodyRefused, "a chunk size is not 1 to 16 hexadecimal digits"))
        #expect(broken.entry.status == 400 && broken.failures == [.requestBodyRefused: 1] && broken.lines.isEmpty)
        let late = try await Self.outcome(of: wait, Self.times { $0.entryPoint.bodyGapTimeout = .milliseconds(100) }) {
            try $0.send(Self.post + "bo")
            _ = try $0.receiveAll()
        }
        #expect(late.entry.cause == Cause(.requestBodyTimeout) && late.entry.status == 408)
        #expect(late.failures == [.requestBodyTimeout: 1] && late.backendFailures.isEmpty)
        let gone = try await Self.outcome(of: wait) {
            try $0.send(Self.post + "bo")
            usleep(100_000)
            $0.close()
        }
        #expect(gone.entry.cause == Cause(.clientClosed) && gone.entry.status == 499)
    }

    @Test("a client that does not read is the client's fault")
    func clientStalled() async throws {
        let body = [UInt8](repeating: 1, count: 16 << 20)
        let outcome = try await Self.outcome(
            of: { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
                try connection.send(body)
            }, Self.times { $0.limits.stallTimeout = .milliseconds(300) }
        ) {
            try $0.send(Self.get)
            usleep(1_500_000)
        }
        #expect(outcome.entry.cause == Cause(.clientStalled) && outcome.failures == [.clientStalled: 1])
        #expect(outcome.backendFailures.isEmpty && outcome.lines.isEmpty)
    }

    // MARK: Backends

    @Test("a backend that refuses connections is named with the reason, once for both attempts")
    func refusedConnection() async throws {
        let port = try closedPort()
        let outcome = try await Self.outcome(of: { _, _ in }, port: port) {
            try $0.send(Self.get)
            _ = try $0.receiveAll()
        }
        #expect(outcome.entry.cause == Cause(.noBackend) && outcome.entry.status == 503)
        #expect(outcome.entry.failedAttempt == Cause(.connectRefused))
        #expect(outcome.failures == [.noBackend: 1] && outcome.backendFailures == [.connectRefused: 2])
        let place = "address=127.0.0.1:\(port) backend=b0 reason=connect_refused service=app"
        #expect(outcome.lines == ["A request to a backend failed. \(place)"])
    }

    private static let broken: [(String, Reason, String?, Int)] = [
        ("", .connectionLost, nil, 502),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .responseRefused,
            "more than one Content-Length header", 502
        ),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", .switchRefused, nil, 502),
        (
            String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 9), .responseRefused,
            "more than 8 interim responses", 502
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .responseBodyRefused,
            "a chunk size is not 1 to 16 hexadecimal digits", 200
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", .responseCut, nil, 200),
    ]

    @Test("a response that breaks a rule, or ends too early, names the backend and what is wrong", arguments: broken)
    func brokenResponse(response: String, reason: Reason, detail: String?, status: Int) async throws {
        let outcome = try await Self.outcome(of: { connection, _ in
            _ = try connection.receive(until: "body")
            try connection.send(response)
        }) {
            try $0.send(Self.post + "body")
            _ = try? $0.receiveAll()
        }
        #expect(outcome.entry.cause == Cause(reason, detail) && outcome.entry.failedAttempt == Cause(reason, detail))
        #expect(outcome.entry.status == status && outcome.entry.backend?.name == "b0")
        #expect(outcome.failures == [reason: 1] && outcome.backendFailures == [reason: 1])
        #expect(outcome.lines.count == 1 && outcome.lines[0].contains("backend=b0"))
        #expect(outcome.lines[0].contains("reason=\(reason.rawValue)"))
        #expect(outcome.lines[0].contains("error=\(detail ?? "")") == (detail != nil))
    }

    @Test("a request that was sent again says why")
    func sentAgain() async throws {
        let outcome = try await Self.outcome(of: { connection, number in
            _ = try connection.receive(until: "\r\n\r\n")
            if number > 1 { try connection.send(ok("again")) }
        }) {
            try $0.send(Self.get)
            _ = try $0.receiveAll()
        }
        #expect(outcome.entry.cause == nil && outcome.entry.status == 200 && outcome.entry.retries == 1)
        #expect(outcome.entry.failedAttempt == Cause(.connectionLost))
        #expect(outcome.failures.isEmpty && outcome.backendFailures == [.connectionLost: 1])
    }

    @Test("a backend that is too slow is named, before its head and within its body")
    func slow() async throws {
        let silent = try await Self.outcome(
            of: { connection, _ in _ = try connection.receiveAll() },
            Self.times { $0.serviceLimits.exchange.responseHead = .milliseconds(100) }
        ) {
            try $0.send(Self.get)
            _ = try $0.receiveAll()
        }
        #expect(silent.entry.cause == Cause(.responseTimeout) && silent.entry.status == 504)
        #expect(silent.backendFailures == [.responseTimeout: 1])
        let stalled = try await Self.outcome(
            of: { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
                _ = try connection.receiveAll()
            }, Self.times { $0.serviceLimits.exchange.responseGap = .milliseconds(100) }
        ) {
            try $0.send(Self.get)
            _ = try? $0.receiveAll()
        }
        #expect(stalled.entry.cause == Cause(.responseStalled) && stalled.entry.status == 200)
        #expect(stalled.backendFailures == [.responseStalled: 1])
    }

    // MARK: Tunnels and stops

    @Test("a tunnel is logged at its end, with what it passed and who ended it")
    func tunnel() async throws {
        let accepts = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        for (isClient, reason) in [(true, Reason.clientClosed), (false, .backendClosed)] {
            let outcome = try await Self.outcome(of: { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send(accepts + "four")
                if isClient { _ = try connection.receiveAll() } else { _ = try connection.receive(until: "three") }
            }) {
                try $0.send(TunnelTests.upgrade())
                _ = try $0.receive(until: "four")
                try $0.send("three")
                if !isClient { _ = try $0.receiveAll() }
                $0.close()
            }
            #expect(outcome.entry.cause == Cause(reason) && outcome.entry.status == 101)
            #expect(outcome.entry.requestBytes == 5 && outcome.entry.responseBytes == 4)
            #expect(outcome.entry.duration > 0 && outcome.entry.backend?.name == "b0")
            let tunnels = try #require(outcome.counters.services["app"]?.tunnels)
            #expect(tunnels.ended == [reason: 1] && tunnels.bytesFromClient == 5 && tunnels.bytesFromBackend == 4)
            #expect(outcome.failures.isEmpty && outcome.lines.isEmpty)
        }
    }

    @Test("an exchange that a stop cuts says so")
    func stop() async throws {
        let held = try ScriptedBackend { connection, _ in _ = try connection.receiveAll() }
        defer { held.close() }
        let exchanges = RecordedExchanges()
        var options = ProxyHarness.Options()
        options.exchangeLog = exchanges
        try await withProxy(to: [held.port], options) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get)
            try await #expect(eventually { held.connectionCount == 1 })
            try await proxy.onLoop { $0.shutDown() }
            #expect(exchanges.all.map(\.cause) == [Cause(.shutdown)] && exchanges.all.map(\.status) == [499])
        }
    }
}

@Suite("The pace of a log")
struct LogPaceTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("The first of equal events is logged, then one a minute, with the number of those between")
    func repetitions() {
        var pace = LogPace<String>()
        var logged: [Int?] = []
        for milliseconds: Int64 in [0, 1, 59_999, 60_000, 60_001, 200_000] {
            logged.append(pace.happened("a", now: at(milliseconds)))
        }
        #expect(logged == [0, nil, nil, 2, nil, 1])
        let other = pace.happened("b", now: at(200_001))
        #expect(other == 0)
    }

    @Test("However many different events there are, their number that is kept is bounded")
    func bounded() {
        var pace = LogPace<Int>()
        for key in 0..<5 * LogPace<Int>.keysMax {
            let repetitions = pace.happened(key, now: at(Int64(key)))
            #expect(repetitions == 0)
            #expect(pace.keyCount <= LogPace<Int>.keysMax)
        }
    }
}

@Suite("The log of floods")
struct FloodLogTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("has each client and kind once a minute, and says how many were left out")
    func repetitions() {
        let recorded = RecordedLog()
        let log = FloodLog(recorded.logger)
        for milliseconds: Int64 in [0, 1, 2, 60_000] {
            log.flooded(.pings, client: "192.0.2.1", entryPoint: "web", now: at(milliseconds))
        }
        log.flooded(.resets, client: "192.0.2.1", entryPoint: "web", now: at(60_001))
        let text = "A client flooded its HTTP/2 connection, which was closed. client=192.0.2.1 entryPoint=web kind="
        #expect(recorded.lines == [text + "ping", text + "ping unlogged=2", text + "rst_stream"])
    }

    @Test("has no more than twenty lines a minute, however many clients there are")
    func manyClients() {
        let recorded = RecordedLog()
        let log = FloodLog(recorded.logger)
        for number: Int64 in 0..<5000 {
            log.flooded(.pings, client: "2001:db8::\(number)", entryPoint: "web", now: at(number))
        }
        #expect(recorded.lines.count == 20)
        log.flooded(.pings, client: "2001:db8::ffff", entryPoint: "web", now: at(60_000))
        #expect(recorded.lines.count == 21 && recorded.lines.last?.hasSuffix("unlogged=4980") == true)
    }
}
