import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Retries of a router")
struct RetryTests {
    private static func request(_ method: String = "GET", _ fields: String = "", body: String = "") -> String {
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return "\(method) / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\(length)\r\n\(body)"
    }

    private static func withRetries(
        _ retry: Retry, _ backends: [AnsweringInTurn], isSticky: Bool = false, passive: PassiveHealthCheck? = nil,
        responseHead: TimeAmount? = nil, log: RecordedExchanges? = nil,
        _ body: @Sendable @escaping (ProxyHarness) async throws -> Void
    ) async throws {
        var options = ProxyHarness.Options()
        options.middlewares = [.retry(retry)]
        options.isSticky = isSticky
        options.passiveHealthCheck = passive
        options.serviceLimits.exchange.responseHead = responseHead
        options.exchangeLog = log
        try await withProxy(to: backends.map(\.port), options, body)
    }

    private static func retries(_ proxy: ProxyHarness) async throws -> RetryCounters {
        try await proxy.counters().services["app"]?.retries ?? RetryCounters()
    }

    // MARK: Statuses

    @Test("Send a request again after a status of the list, and pass on nothing of the failed attempts")
    func statuses() async throws {
        let log = RecordedExchanges()
        let backend = try AnsweringInTurn("b", [.status(503), .status(502), .status(200)])
        try await Self.withRetries(Retry(attempts: 3, statuses: [502...503]), [backend], log: log) { proxy in
            let response = try proxy.exchange(Self.request())
            #expect(response.hasPrefix("HTTP/1.1 200 "))
            #expect(response.contains("X-Attempt: 3\r\n") && response.contains("attempt=3"))
            #expect(!response.contains("attempt=1") && !response.contains("attempt=2"))
            #expect(backend.requestCount == 3)
            try await #expect(Self.retries(proxy).retries == [.responseStatus: 2])
            try await #expect(eventually { log.all.count == 1 })
            let entry = try #require(log.all.first)
            #expect(entry.retries == 2 && entry.failedAttempt == Cause(.responseStatus, "502") && entry.cause == nil)
        }
    }

    @Test("Pass on the last attempt's response, whatever its status")
    func lastAttempt() async throws {
        let backend = try AnsweringInTurn("b", [.status(503)])
        try await Self.withRetries(Retry(attempts: 3, statuses: [503...503]), [backend]) { proxy in
            let response = try proxy.exchange(Self.request())
            #expect(response.hasPrefix("HTTP/1.1 503 ") && response.contains("X-Attempt: 3\r\n"))
            #expect(backend.requestCount == 3)
        }
    }

    @Test("Send a request with a body, or with a method that may change something, once")
    func sentOnce() async throws {
        let backend = try AnsweringInTurn("b", [.status(503)])
        try await Self.withRetries(Retry(attempts: 5, statuses: [503...503]), [backend]) { proxy in
            for (index, method) in ["POST", "PUT", "DELETE", "PATCH", "LOCK"].enumerated() {
                try #expect(proxy.exchange(Self.request(method)).hasPrefix("HTTP/1.1 503 "))
                #expect(backend.requestCount == index + 1)
            }
            try #expect(proxy.exchange(Self.request("GET", body: "body")).hasPrefix("HTTP/1.1 503 "))
            #expect(backend.requestCount == 6)
        }
    }

    @Test("Send a request without a session to the next backend, and one with a session to its own")
    func whichBackend() async throws {
        let statuses: [ClosedRange<Int>] = [503...503]
        for isSticky in [false, true] {
            let sick = try AnsweringInTurn("sick", [.status(503)])
            let well = try AnsweringInTurn("well", [.status(200)])
            let retry = Retry(attempts: 2, statuses: statuses, budgetPercent: 100)
            try await Self.withRetries(retry, [sick, well], isSticky: isSticky) { proxy in
                var bodies: [Substring: Int] = [:]
                for number in 0..<10 {
                    let response = try proxy.exchange(Self.request("GET", "X-Session-ID: \(number)\r\n"))
                    bodies[response.suffix(4), default: 0] += 1
                }
                if isSticky {
                    let sickOnes = bodies["sick"] ?? 0
                    #expect(sickOnes > 0 && well.requestCount == 10 - sickOnes && sick.requestCount == 2 * sickOnes)
                } else {
                    // In turn: a request's first attempt, and its second one. Either backend may be the first of all.
                    #expect(bodies == ["well": 10] && sick.requestCount >= 9)
                }
            }
        }
    }

    @Test("Move a session whose backend has just become failing, and set its cookie once")
    func failing() async throws {
        let sick = try AnsweringInTurn("sick", [.status(503)])
        let well = try AnsweringInTurn("well", [.status(200)])
        let passive = PassiveHealthCheck(windowMilliseconds: 60_000, failuresMax: 1, statuses: [503...503])
        try await Self.withRetries(
            Retry(attempts: 3, statuses: [503...503], initialIntervalMilliseconds: 100), [sick, well], isSticky: true,
            passive: passive
        ) { proxy in
            for _ in 0..<12 {
                let response = try proxy.exchange(Self.request())
                #expect(response.hasSuffix("well"))
                #expect(response.components(separatedBy: "Set-Cookie: limpet=").count == 2)
            }
            #expect(sick.requestCount == 1)
        }
    }

    @Test("Treat an answer that a backend did not give in time as its status")
    func timeouts() async throws {
        let released = ScriptedBackend.Flag()
        let backend = try AnsweringInTurn("b", [.wait(released), .status(200)])
        let retry = Retry(attempts: 2, statuses: [504...504])
        try await Self.withRetries(retry, [backend], responseHead: .milliseconds(200)) { proxy in
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 200 "))
            try await #expect(Self.retries(proxy).retries == [.responseTimeout: 1])
        }
        released.set()
    }

    @Test("Offer an upgrade again until the backend switches")
    func upgrade() async throws {
        let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"
        let backend = try AnsweringInTurn("b", [.status(503), .status(503), .bytes(switching), .close])
        try await Self.withRetries(Retry(attempts: 4, statuses: [503...503]), [backend]) { proxy in
            let client = try proxy.connect()
            defer { client.close() }
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            try #expect(client.receive(until: "hello").hasPrefix("HTTP/1.1 101 "))
            #expect(backend.requestCount == 3)
        }
    }

    // MARK: Lost connections

    @Test("Send a request again whose connection was lost, as often as they allow")
    func lost() async throws {
        let backend = try AnsweringInTurn("b", [.close, .close, .close, .status(200)])
        try await Self.withRetries(Retry(attempts: 4), [backend]) { proxy in
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 200 "))
            #expect(backend.requestCount == 4)
            backend.answers([.close])
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 502 "))
            #expect(backend.requestCount == 5, "once over the kept connection, which does not count")
            backend.answers([.close])
            try #expect(proxy.exchange(Self.request("POST", body: "x")).hasPrefix("HTTP/1.1 502 "))
            #expect(backend.requestCount == 1)
        }
    }

    @Test("Do not send it again where that is switched off")
    func lostIsLost() async throws {
        let backend = try AnsweringInTurn("b", [.close])
        try await Self.withRetries(Retry(attempts: 4, statuses: [503...503], repeatsLost: false), [backend]) { proxy in
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 502 "))
            #expect(backend.requestCount == 1)
        }
    }

    @Test("Do not count a kept connection that the backend closes under a request")
    func staleConnection() async throws {
        let backend = try AnsweringInTurn("b", [.status(200), .close, .status(200), .close, .status(200)])
        let retry = Retry(attempts: 1, statuses: [503...503], repeatsLost: false)
        try await Self.withRetries(retry, [backend]) { proxy in
            for _ in 0..<3 { try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 200 ")) }
            #expect(backend.requestCount == 5)
        }
    }

    // MARK: Pauses and limits

    @Test("Pause between attempts, and end when the client leaves in a pause")
    func pauses() async throws {
        let backend = try AnsweringInTurn("b", [.status(503)])
        let retry = Retry(attempts: 3, statuses: [503...503], initialIntervalMilliseconds: 400)
        try await Self.withRetries(retry, [backend]) { proxy in
            let began = NIODeadline.now()
            _ = try proxy.exchange(Self.request())
            // At least half of 400 and of 600 ms.
            #expect(NIODeadline.now() - began >= .milliseconds(500))
            backend.answers([.status(503)])
            let client = try proxy.connect()
            try client.send(Self.request())
            try await #expect(eventually { backend.requestCount == 1 })
            client.reset()
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            #expect(backend.requestCount == 1)
        }
    }

    @Test("End after their time, and the response that came then is passed on")
    func timeIsOver() async throws {
        let backend = try AnsweringInTurn("b", [.status(503)])
        let retry = Retry(
            attempts: 100, statuses: [503...503], initialIntervalMilliseconds: 100, timeoutMilliseconds: 250)
        try await Self.withRetries(retry, [backend]) { proxy in
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 503 "))
            #expect((2...6).contains(backend.requestCount))
        }
    }

    @Test("Stop at the service's budget")
    func budget() async throws {
        let backend = try AnsweringInTurn("b", [.status(503)])
        try await Self.withRetries(Retry(attempts: 100, statuses: [503...503], budgetPercent: 1), [backend]) { proxy in
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 503 "))
            #expect(backend.requestCount == 1 + RetryBudget.retriesMin)
            let counters = try await Self.retries(proxy)
            #expect(counters.refused == 1 && counters.retries == [.responseStatus: UInt64(RetryBudget.retriesMin)])
        }
    }

    @Test("A budget is a share of the requests of the last seconds, and a few")
    func budgetShare() {
        var budget = RetryBudget()
        func instant(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
        func take(_ now: Instant) -> Int {
            var count = 0
            while budget.takeRetry(percent: 20, now: now) { count += 1 }
            return count
        }
        #expect(take(instant(0)) == 10)
        for _ in 0..<1000 { budget.requestBegan(now: instant(500)) }
        #expect(take(instant(600)) == 190)
        #expect(take(instant(1100)) == 0, "the second before counts")
        #expect(take(instant(2200)) == 10, "and no longer than that")
    }

    @Test("Pauses grow to twice the first one, and vary by half")
    func pauseLengths() {
        let retry = Retry(attempts: 9, initialIntervalMilliseconds: 100)
        for (count, middle) in [(1, 100), (2, 150), (3, 200), (4, 200), (50, 200)] {
            #expect(retry.pauseMilliseconds(afterAttempts: count, draw: 0) == Int64(middle / 2))
            #expect(retry.pauseMilliseconds(afterAttempts: count, draw: 0.5) == Int64(middle))
            #expect(retry.pauseMilliseconds(afterAttempts: count, draw: 0.999) < Int64(middle * 3 / 2))
        }
        #expect(Retry(attempts: 9).pauseMilliseconds(afterAttempts: 3, draw: 0.9) == 0)
    }
}
