import Affinity
import Foundation
import LimpetTestKit
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Proxy

@Suite("A health check of one backend")
struct BackendCheckerTests {
    private static func check(
        path: String = "/health", method: String = "GET", status: Int? = nil, followsRedirects: Bool = true,
        timeoutMilliseconds: Int64 = 5000
    ) -> HealthCheck {
        HealthCheck(
            path: path, method: method, status: status, followsRedirects: followsRedirects,
            pace: CheckPace(timeoutMilliseconds: timeoutMilliseconds))
    }

    /// Checks the port so many times, one after the other.
    private static func results(
        _ port: Int, _ check: HealthCheck = check(), count: Int = 1, host: String = "127.0.0.1", isFresh: Bool = false
    ) async throws -> [CheckResult] {
        try await timed(port, check, count: count, host: host, isFresh: isFresh).map(\.result)
    }

    /// The results, and how long each took on the event loop.
    static func timed(
        _ port: Int, _ check: HealthCheck, count: Int = 1, host: String = "127.0.0.1", isFresh: Bool = false,
        connectTimeout: TimeAmount = .seconds(1), tls: BackendTLS? = nil, isHTTP2: Bool = false
    ) async throws -> [(result: CheckResult, time: TimeAmount)] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let (checker, context) = try await loop.submit {
            let context = LoopOfItsOwn.context(on: loop)
            context.deadlines.start(on: loop)
            let checker = BackendChecker(
                loop: context, backend: Backend(name: "b", host: host, port: port, tls: tls, isHTTP2: isHTTP2),
                check: check)
            return (NIOLoopBound(checker, eventLoop: loop), NIOLoopBound(context, eventLoop: loop))
        }.get()
        var results: [(result: CheckResult, time: TimeAmount)] = []
        for _ in 0..<count {
            let promise = loop.makePromise(of: (result: CheckResult, time: TimeAmount).self)
            loop.execute {
                let start = NIODeadline.now()
                checker.value.check(isFresh: isFresh, connectTimeout: connectTimeout) {
                    promise.succeed(($0, .now() - start))
                }
            }
            try await results.append(promise.futureResult.get())
        }
        try await loop.submit {
            checker.value.stop()
            context.value.deadlines.stop()
        }.get()
        try await group.shutdownGracefully()
        return results
    }

    /// The result of one check of a backend that sends these bytes for each request.
    private static func failure(_ response: String, _ check: HealthCheck = check()) async throws -> FailingReason? {
        let backend = try ScriptedBackend.answering(response)
        defer { backend.close() }
        return try await results(backend.port, check)[0].failure
    }

    @Test("is one request for its path, and again over the same connection")
    func kept() async throws {
        let backend = try ScriptedBackend.answering(ok("well"))
        defer { backend.close() }
        let check = HealthCheck(
            path: "/health?deep=1", hostname: "shop.example", headers: [.init(name: "X-From", value: "limpet")])
        let results = try await Self.results(backend.port, check, count: 3)
        #expect(results.map(\.failure) == [nil, nil, nil])
        #expect(results.map(\.hasConnected) == [true, false, false])
        #expect(backend.connectionCount == 1)
        let head = "GET /health?deep=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: limpet\r\nX-From: limpet\r\n\r\n"
        #expect(backend.heads == [head, head, head])
    }

    @Test("opens a connection where one is wanted, the last was closed, or the answer forbids another")
    func anew() async throws {
        let backend = try ScriptedBackend.answering(ok(""))
        defer { backend.close() }
        _ = try await Self.results(backend.port, count: 3, isFresh: true)
        #expect(backend.connectionCount == 3)
        let closing = try ScriptedBackend.answering(ok("", "Connection: close\r\n"))
        defer { closing.close() }
        let results = try await Self.results(closing.port, count: 2)
        #expect(results.map(\.hasConnected) == [true, true] && results.map(\.failure) == [nil, nil])
        let once = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(ok(""))
            // It closes on the next request instead of an answer.
            _ = try connection.receive(until: "\r\n\r\n")
        }
        defer { once.close() }
        let again = try await Self.results(once.port, count: 3)
        #expect(again.map(\.failure) == [nil, nil, nil] && once.connectionCount == 3)
    }

    @Test("is good with a status from 200 to 399, or with the one that is configured")
    func statuses() async throws {
        for status in [200, 204, 308, 399] {
            try await #expect(Self.failure("HTTP/1.1 \(status) x\r\nContent-Length: 0\r\n\r\n") == nil)
        }
        for status in [400, 404, 500, 503] {
            let found = try await Self.failure("HTTP/1.1 \(status) x\r\nContent-Length: 0\r\n\r\n")
            #expect(found == .status(status))
        }
        try await #expect(Self.failure(ok("x"), Self.check(status: 204)) == .status(200))
        let teapot = "HTTP/1.1 418 x\r\nContent-Length: 0\r\n\r\n"
        try await #expect(Self.failure(teapot, Self.check(status: 418)) == nil)
        try await #expect(Self.failure("HTTP/1.1 103 x\r\n\r\n" + ok("x")) == nil)
        try await #expect(
            Self.failure("HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n", Self.check(method: "HEAD")) == nil)
        try await #expect(
            Self.failure("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n") == nil)
    }

    @Test("follows a redirect to the same host and port, a few times, and judges any other by its status")
    func redirects() async throws {
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let words = try connection.receive(until: "\r\n\r\n").split { $0.isWhitespace }
                let (path, host) = (words[1], words[4])
                let location: String? =
                    switch path {
                    case "/health": "/a"
                    case "/a": "b?x=1#f"
                    case "/b?x=1": "http://\(host)/c"
                    case "/far": "http://elsewhere.example/"
                    case "/tls": "https://\(host)/"
                    case "/circle": "/circle"
                    case "/strange": "mailto:x"
                    default: nil
                    }
                try connection.send(
                    location.map { "HTTP/1.1 302 Found\r\nLocation: \($0)\r\nContent-Length: 0\r\n\r\n" }
                        ?? (path == "/c" ? ok("c") : "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"))
            }
        }
        defer { backend.close() }
        func failure(_ path: String, _ status: Int?, follows: Bool = true) async throws -> FailingReason? {
            try await Self.results(backend.port, Self.check(path: path, status: status, followsRedirects: follows))[0]
                .failure
        }
        try await #expect(failure("/health", 200) == nil)
        try await #expect(failure("/health", 200, follows: false) == .status(302))
        try await #expect(failure("/health", nil, follows: false) == nil)
        for path in ["/far", "/tls", "/strange"] {
            try await #expect(failure(path, nil) == nil)
            try await #expect(failure(path, 200) == .status(302))
        }
        try await #expect(failure("/circle", nil) == .redirects)
    }

    @Test("fails, with a reason, where nothing sensible comes back")
    func failures() async throws {
        try await #expect(
            Self.results(closedPort())[0] == CheckResult(failure: .connectionRefused, hasConnected: false))
        try await #expect(Self.failure("SSH-2.0-OpenSSH_9.2\r\n") == .malformed)
        try await #expect(
            Self.failure("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") == .malformed)
        try await #expect(
            Self.failure("HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 200_000))\r\n\r\n") == .malformed)
        try await #expect(
            Self.failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") == .malformed)
        try await #expect(Self.failure(String(repeating: "HTTP/1.1 103 x\r\n\r\n", count: 20)) == .malformed)
        try await #expect(
            Self.results(1, host: "no-such-host.invalid")[0]
                == CheckResult(failure: .connectFailed, hasConnected: false))
        let mute = try ScriptedBackend { connection, _ in _ = try connection.receive(until: "\r\n\r\n") }
        defer { mute.close() }
        try await #expect(Self.results(mute.port)[0] == CheckResult(failure: .closed, hasConnected: true))
    }

    @Test("is over in time where a backend hangs, drips or does not accept")
    func time() async throws {
        let hanging = try ScriptedBackend { connection, _ in _ = try connection.receiveAll() }
        let dripping = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            for byte in "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: 1000) {
                try connection.send(String(byte))
                usleep(20_000)
            }
        }
        let full = try FullListener()
        let check = Self.check(timeoutMilliseconds: 300)
        for (port, reason) in [
            (hanging.port, FailingReason.timedOut), (dripping.port, .timedOut), (full.port, .connectTimedOut),
        ] {
            let (result, time) = try await Self.timed(port, check)[0]
            #expect(result.failure == reason)
            #expect(time > .milliseconds(290) && time < .milliseconds(1500), "\(reason): \(time)")
        }
        let (result, time) = try await Self.timed(full.port, Self.check(), connectTimeout: .milliseconds(300))[0]
        #expect(result.failure == .connectTimedOut && time > .milliseconds(290) && time < .milliseconds(900))
        hanging.close()
        dripping.close()
    }

    @Test("reads a little of a long body, and goes by the status")
    func longBody() async throws {
        let sent = Sent()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            let piece = String(repeating: "x", count: 65536)
            for _ in 0..<1500 {
                try connection.send(piece)
                sent.count(65536)
            }
        }
        defer { backend.close() }
        let results = try await Self.results(backend.port, count: 2)
        #expect(results.map(\.failure) == [nil, nil] && results.map(\.hasConnected) == [true, true])
        #expect(sent.total < 40_000_000, "what the kernel's buffers hold")
    }

    @Test(
        "is over at once where a response never ends, and has read little of it",
        arguments: [
            ("", "HTTP/1.1 100 Continue\r\n\r\n", .malformed), ("HTTP/1.1 200 OK\r\nX: ", "x", .malformed),
            ("HTTP/1.1 200 OK\r\n", "X: x\r\n", .malformed), ("", "\r\n", .malformed), ("HTTP/1.1 ", "2", .malformed),
            ("HTTP/1.1 200 OK\r\n\r\n", "x", nil), ("HTTP/1.1 503 x\r\n\r\n", "x", .status(503)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", nil),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", ";x=y", .malformed),
        ] as [(String, String, FailingReason?)])
    func endless(begin: String, again: String, expected: FailingReason?) async throws {
        let sent = Sent()
        let piece = Array(String(repeating: again, count: 65536 / again.utf8.count).utf8)
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(begin)
            while sent.total < 1 << 30 {
                try connection.send(piece)
                sent.count(piece.count)
            }
        }
        defer { backend.close() }
        let (result, time) = try await Self.timed(backend.port, Self.check())[0]
        #expect(result.failure == expected)
        #expect(time < .seconds(3), "not even the check's time-out is needed")
        #expect(sent.total < 40_000_000, "what the kernel's buffers hold")
    }

    private final class Sent: Sendable {
        private let value = Mutex(0)
        func count(_ bytes: Int) { value.withLock { $0 += bytes } }
        var total: Int { value.withLock { $0 } }
    }
}

@Suite("Where a health check goes")
struct CheckTargetTests {
    private static func target(hostname: String? = nil, port: Int? = nil) -> CheckTarget {
        CheckTarget(
            Backend(name: "b", host: "10.0.0.7", port: 8080),
            HealthCheck(path: "/h", hostname: hostname, port: port))
    }

    private static func redirect(_ location: String, from path: String = "/a/b?c", hostname: String? = nil) -> String? {
        target(hostname: hostname).redirect(to: Array(location.utf8), from: path)
    }

    @Test("to the backend's address, or to another port of it; Host says which, or what is configured")
    func places() {
        #expect(Self.target().port == 8080 && Self.target(port: 9000).port == 9000)
        func host(_ target: CheckTarget) -> Substring? {
            String(buffer: target.request().head).split(separator: "\r\n").first { $0.hasPrefix("Host: ") }
        }
        #expect(host(Self.target()) == "Host: 10.0.0.7:8080")
        #expect(host(Self.target(port: 80)) == "Host: 10.0.0.7")
        #expect(host(Self.target(hostname: "shop.example", port: 9000)) == "Host: shop.example")
    }

    @Test("along a redirect only if it leads to the same host and port")
    func redirects() {
        #expect(Self.redirect("/x") == "/x")
        #expect(Self.redirect("x") == "/a/x")
        #expect(Self.redirect("?y") == "/a/b?y")
        #expect(Self.redirect("/x#y") == "/x")
        #expect(Self.redirect("http://10.0.0.7:8080/x") == "/x")
        #expect(Self.redirect("HTTP://10.0.0.7:8080") == "/")
        #expect(Self.redirect("//10.0.0.7:8080?z") == "/?z")
        #expect(Self.redirect("http://Shop.example:80/x", hostname: "shop.EXAMPLE") == "/x")
        for other in [
            "http://10.0.0.7/x", "http://10.0.0.7:8081/x", "https://10.0.0.7:8080/x", "//evil.example/x",
            "http://10.0.0.7:8080@evil.example/", "", "#x", "data:x", "http://", "/a b", "/\u{e9}", "/a\u{0}",
        ] {
            #expect(Self.redirect(other) == nil, "\(other)")
        }
    }

    @Test("with a length where the method allows a body, and with the user agent that is configured")
    func fields() {
        let check = HealthCheck(
            path: "/h", method: "POST", headers: [.init(name: "user-agent", value: "me"), .init(name: "A", value: "b")])
        let target = CheckTarget(Backend(name: "b", host: "::1", port: 80), check)
        #expect(
            String(buffer: target.request().head)
                == "POST /h HTTP/1.1\r\nHost: [::1]\r\nuser-agent: me\r\nA: b\r\nContent-Length: 0\r\n\r\n")
        #expect(String(buffer: target.request(path: "/i", method: "GET").head).hasPrefix("GET /i HTTP/1.1\r\n"))
    }
}
