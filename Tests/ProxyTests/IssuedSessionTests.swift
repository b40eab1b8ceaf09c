import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Store
import Testing

@testable import Proxy

@Suite("Session keys that backends issue")
struct IssuedSessionTests {
    private static func request(_ fields: String = "") -> String {
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
    }

    /// Four backends, each of which answers with these fields, in which `#` is the number of the backend.
    private static func withBackends(
        _ fields: String, learns: Bool = true,
        sources: [SessionSource] = [.header("X-Session-ID"), .appCookie("APPID")],
        store: (@Sendable (any EventLoop) -> any BindingStore)? = nil, _ body: (ProxyHarness) async throws -> Void
    ) async throws {
        let backends = try (0..<4).map { number in
            try ScriptedBackend.answering(ok("b\(number)", fields.replacingOccurrences(of: "#", with: "\(number)")))
        }
        defer { backends.forEach { $0.close() } }
        var options = ProxyHarness.Options()
        options.learns = learns
        options.sources = sources
        options.store = store
        try await withProxy(to: backends.map(\.port), options, body)
    }

    /// Of each backend: whether the requests that present the key it issued came back to it.
    private static func returns(_ proxy: ProxyHarness, _ present: (Int) -> String) throws -> [Bool] {
        for _ in 0..<8 { _ = try proxy.exchange(request()) }
        return try (0..<4).map { number in
            try proxy.exchange(request(present(number))).hasSuffix("b\(number)")
        }
    }

    @Test(
        "bring the session back to the backend that issued them",
        arguments: [
            ("Set-Cookie: APPID=key-#; Path=/; HttpOnly\r\n", "Cookie: a=b; APPID=key-#\r\n"),
            ("Set-Cookie: theme=dark\r\nSet-Cookie:  APPID = key-# ;Max-Age=60\r\n", "Cookie: APPID=key-#\r\n"),
            ("Set-Cookie: APPID=\"key-#\"\r\n", "Cookie: APPID=\"key-#\"\r\n"),
            ("Set-Cookie: APPID=\"key-#\"; Path=/\r\n", "Cookie: APPID=key-#\r\n"),
            ("Set-Cookie: APPID=key-#\r\n", "Cookie: APPID=\"key-#\"\r\n"),
            ("Set-Cookie: APPID=other\r\nSet-Cookie: APPID=key-#\r\n", "Cookie: APPID=key-#\r\n"),
            ("Set-Cookie: APPID=key-#; Path=/app\r\nSet-Cookie: APPID=other\r\n", "Cookie: APPID=key-#\r\n"),
            ("Set-Cookie: APPID=key-#\r\nX-Session-ID: other-#\r\n", "Cookie: APPID=key-#\r\n"),
            ("Set-Cookie: APPID=other-#\r\nX-Session-ID: key-#\r\n", "X-Session-ID: key-#\r\n"),
            ("X-Session-ID:\r\nX-Session-ID: key-#\r\n", "X-Session-ID: key-#\r\n"),
            ("Set-Cookie: APPID=a=b-#=; max-age=x\r\n", "Cookie: APPID=a=b-#=\r\n"),
            ("X-SESSION-ID: key-#\r\nX-Session-ID: second\r\n", "X-Session-ID: key-#\r\n"),
            (
                "Set-Cookie: APPID=key-#; Path=/app\r\nSet-Cookie: APPID=x; Path=/; Max-Age=0\r\n",
                "Cookie: APPID=key-#\r\n"
            ),
            (
                "Set-Cookie: APPID=key-#\r\nSet-Cookie: APPID=x; Expires=Thu, 01-Jan-1970 00:00:10 GMT\r\n",
                "Cookie: APPID=key-#\r\n"
            ),
            (
                "Set-Cookie: APPID=key-#; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60\r\n",
                "Cookie: APPID=key-#\r\n"
            ),
            ("Set-Cookie: APPID=key-#; Expires=Fri, 31 Dec 2100 23:59:59 GMT\r\n", "Cookie: APPID=key-#\r\n"),
            ("Set-Cookie: APPID=key-#; Expires=yesterday\r\n", "Cookie: APPID=key-#\r\n"),
        ])
    func bound(_ issued: String, _ presented: String) async throws {
        try await Self.withBackends(issued) { proxy in
            let returned = try Self.returns(proxy) { presented.replacingOccurrences(of: "#", with: "\($0)") }
            #expect(returned == [true, true, true, true])
        }
    }

    @Test(
        "are none where the cookie is of another name, deleted or empty, or learning is off",
        arguments: [
            ("Set-Cookie: APPID=key-#; Max-Age=0\r\n", true), ("Set-Cookie: APPID=key-#; MAX-AGE = -1\r\n", true),
            ("Set-Cookie: APPID=\r\n", true), ("Set-Cookie: APPID=\"\"\r\n", true),
            ("Set-Cookie: appid=key-#\r\n", true), ("Set-Cookie: APPID\r\n", true),
            ("Set-Cookie: XAPPID=key-#\r\n", true),
            ("Set-Cookie: APPID=key-#; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n", true),
            ("Set-Cookie: APPID=key-#; Expires=Sunday, 06-Nov-94 08:49:37 GMT; Path=/\r\n", true),
            ("Set-Cookie: APPID=key-#\r\n", false),
        ])
    func notBound(_ issued: String, _ learns: Bool) async throws {
        try await Self.withBackends(issued, learns: learns) { proxy in
            let answers = try (0..<4).map { _ in try proxy.exchange(Self.request()) }
            #expect(answers.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
            #expect(try await proxy.onLoop { $0.store.isAvailable(for: Fingerprint(high: 1, low: 1)) })
            for number in 0..<4 {
                let key = Array("key-\(number)".utf8)
                let known = try await proxy.onLoop { worker -> Bool in
                    let service = worker.services[0]
                    guard case .appCookie(_, let scope, _)? = service.sticky?.sources.last else { return true }
                    let fingerprint = key.withUnsafeBytes { scope.fingerprint(of: $0) }
                    return service.affinity.cache.peek(fingerprint, now: .now) != nil
                }
                #expect(!known)
            }
        }
    }

    /// The same key in several cookies is one, and four different keys are enough.
    @Test(
        "are bound each, up to four of one response, those that are the same once",
        arguments: [
            (["a", "\"a\"", "a"], 1), (["a", "b"], 2), (["a", "b", "c", "d"], 4), (["a", "b", "c", "d", "e", "f"], 4),
            (["a", "b", "a", "c", "b", "d", "e"], 4),
        ])
    func several(_ keys: [String], _ bound: Int) async throws {
        let counting = CountingStore.Count()
        let issued = keys.map { "Set-Cookie: APPID=\($0)\r\n" }.joined()
        try await Self.withBackends(issued, store: { CountingStore($0, counting) }) { proxy in
            let response = try proxy.exchange(Self.request())
            #expect(response.hasPrefix("HTTP/1.1 200 ") && counting.value == bound)
        }
    }

    @Test("that are too long count as absent, and are counted")
    func oversized() async throws {
        let long = String(repeating: "k", count: 4097)
        try await Self.withBackends("Set-Cookie: APPID=\(long)\r\n") { (proxy: ProxyHarness) async throws in
            #expect(try proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 200 "))
            #expect(try await proxy.counters().oversizedSessionKeys == 1)
        }
    }

    private static func held(_ proxy: ProxyHarness) async throws -> Int {
        try await proxy.onLoop { ($0.store as? HeldStore)?.heldCount ?? 0 }
    }

    @Test(
        "hold the response until the store knows them, and lose nothing of it",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n", 200_000, false),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\n", 200_000, true),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nConnection: close\r\n", 3, true),
            ("HTTP/1.1 204 No Content\r\n", 0, false),
        ])
    func heldResponse(_ head: String, _ count: Int, _ closes: Bool) async throws {
        let text = String((0..<count).map { Character(UnicodeScalar(UInt8(ascii: "a") + UInt8($0 % 26))) })
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(head + "Set-Cookie: APPID=k\r\n\r\n" + text)
            if !closes { _ = try connection.receive() }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.learns = true
        options.sources = [.appCookie("APPID")]
        options.store = { HeldStore($0) }
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            try client.send(Self.request())
            try await #require(eventually { try await Self.held(proxy) == 1 })
            client.setTimeout(seconds: 1)
            #expect(throws: TCPSocket.Failure.self) { _ = try client.receive() }
            client.setTimeout(seconds: 10)
            try await proxy.onLoop { ($0.store as? HeldStore)?.release() }
            let response = String(decoding: try client.receiveAll(), as: UTF8.self)
            let body = try #require(response.range(of: "\r\n\r\n")).upperBound
            let content = Chunks(response[body...])?.content ?? String(response[body...])
            #expect(response.contains("\r\nSet-Cookie: APPID=k\r\n") && content == text)
            #expect(try await proxy.counters().impossible == 0)
        }
    }

    @Test("are bound all the same where the client goes away while its response is held")
    func clientGone() async throws {
        try await Self.withBackends("Set-Cookie: APPID=key-#\r\n", store: { HeldStore($0) }) { proxy in
            let client = try proxy.connect()
            try client.send(Self.request())
            try await #require(eventually { try await Self.held(proxy) == 1 })
            client.reset()
            try await #require(eventually { try await proxy.onLoop { $0.openClients } == 0 })
            try await proxy.onLoop { ($0.store as? HeldStore)?.release() }
            // The first backend has answered: it was the turn of one of them.
            let homes = try (0..<4).map { try proxy.exchange(Self.request("Cookie: APPID=key-\($0)\r\n")).suffix(2) }
            #expect(homes.enumerated().contains { $0.element == "b\($0.offset)" })
            #expect(try await proxy.counters().impossible == 0)
        }
    }

    @Test("that the request itself presented, or that are known, ask the store nothing")
    func known() async throws {
        let counting = CountingStore.Count()
        try await Self.withBackends("Set-Cookie: APPID=same\r\n", store: { CountingStore($0, counting) }) { proxy in
            _ = try proxy.exchange(Self.request())
            let operations = counting.value
            #expect(operations == 1)
            for _ in 0..<5 { _ = try proxy.exchange(Self.request("Cookie: APPID=same\r\n")) }
            for _ in 0..<5 { _ = try proxy.exchange(Self.request()) }
            #expect(counting.value == operations)
        }
    }

    @Test("that another backend has got first stay with it, which is counted; the response goes on")
    func lostRace() async throws {
        try await Self.withBackends("Set-Cookie: APPID=same\r\n", store: { HeldStore($0) }) { proxy in
            // Both are asked for before the store answers either.
            let clients = try (0..<2).map { _ in try proxy.connect() }
            for client in clients { try client.send(Self.request()) }
            try await #require(eventually { try await Self.held(proxy) == 2 })
            try await proxy.onLoop { ($0.store as? HeldStore)?.release() }
            let bodies = try clients.map { String(decoding: try $0.receiveAll(), as: UTF8.self).suffix(2) }
            #expect(Set(bodies).count == 2)
            #expect(try await proxy.counters().keysLearntElsewhere == 1)
            let home = try proxy.exchange(Self.request("Cookie: APPID=same\r\n")).suffix(2)
            #expect(bodies.contains(home))
        }
    }

    @Test("are remembered where the store is away, and hold nothing up")
    func storeAway() async throws {
        try await Self.withBackends("Set-Cookie: APPID=key-#\r\n", store: { AwayStore($0) }) { proxy in
            let returned = try Self.returns(proxy) { "Cookie: APPID=key-\($0)\r\n" }
            #expect(returned == [true, true, true, true])
        }
    }

    @Test("are learnt on each level of a weighted service")
    func levels() async throws {
        let backends = try ["a0", "a1", "b0", "b1"].map {
            try ScriptedBackend.answering(ok($0, "Set-Cookie: APPID=\($0)\r\n"))
        }
        defer { backends.forEach { $0.close() } }
        var options = ProxyHarness.Options()
        options.learns = true
        options.sources = [.appCookie("APPID")]
        try await withProxy(to: [], options) { proxy in
            try await proxy.apply(
                Described(name: "app", children: [("a", 1), ("b", 1)]),
                Described(name: "a", backends: [.init("a0", backends[0].port), .init("a1", backends[1].port)]),
                Described(name: "b", backends: [.init("b0", backends[2].port), .init("b1", backends[3].port)]))
            for _ in 0..<8 { _ = try proxy.exchange(Self.request()) }
            for name in ["a0", "a1", "b0", "b1"] {
                for _ in 0..<2 {
                    #expect(try proxy.exchange(Self.request("Cookie: APPID=\(name)\r\n")).hasSuffix(name))
                }
            }
        }
    }
}

@Suite("Traefik's cookies")
struct TraefikCookieTests {
    private static func request(_ cookie: String) -> String {
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nCookie: \(cookie)\r\n\r\n"
    }

    @Test(
        "hold the first half of 16 bytes of a SHA-256",
        arguments: [
            ("http://127.0.0.1:8081", "08d5f409490f61fc"), ("http://127.0.0.1:8082", "6bf4bc2f5d722cee"),
            ("http://127.0.0.1:8081/", "ab3713bb4a099ce6"), ("whoami1", "8dfb3926c09f6a70"),
        ])
    func value(_ name: String, _ text: String) throws {
        #expect(TraefikCookies.value(of: name) == UInt64(text, radix: 16))
        let membership = try Membership([("x", 1, false)], key: ProxyHarness.key)
        let cookies = TraefikCookies(names: [name], membership: membership)
        func backend(_ value: String) -> BackendHash? { Array(value.utf8).withUnsafeBytes { cookies.backend($0) } }
        #expect(backend(text) == membership.backends[0].hash)
        for other in [text.uppercased(), String(text.dropLast()), text + "0", name, "", "0000000000000000"] {
            #expect(backend(other) == nil || other == text)
        }
    }

    private static func text(_ name: String) -> String {
        let text = String(TraefikCookies.value(of: name), radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    private static func withBackends(
        accepts: Bool, draining: Set<Int> = [], _ body: (ProxyHarness) async throws -> Void
    ) async throws {
        let backends = try (0..<4).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        var options = ProxyHarness.Options()
        options.acceptsTraefikCookies = accepts
        try await withProxy(to: [], options) { proxy in
            try await proxy.apply(
                Described(
                    backends: (0..<4).map { .init("b\($0)", backends[$0].port, isDraining: draining.contains($0)) }))
            try await body(proxy)
        }
    }

    @Test("place a new session where they say, and ours takes over from there", arguments: [Set<Int>(), [0, 1, 2, 3]])
    func proposed(_ draining: Set<Int>) async throws {
        try await Self.withBackends(accepts: true, draining: draining) { proxy in
            for number in 0..<4 {
                for _ in 0..<3 {
                    let first = try proxy.exchange(Self.request("limpet=\(Self.text("b\(number)"))"))
                    #expect(first.hasSuffix("b\(number)"))
                    let own = try #require(
                        first.components(separatedBy: "\r\n").first { $0.hasPrefix("Set-Cookie: limpet=") })
                    let value = own.dropFirst("Set-Cookie: ".count).prefix { $0 != ";" }
                    #expect(try proxy.exchange(Self.request(String(value))).hasSuffix("b\(number)"))
                    // Ours counts, wherever it stands, and is not overridden.
                    let other = "limpet=\(Self.text("b\((number + 1) % 4)"))"
                    #expect(try proxy.exchange(Self.request("\(other); \(value)")).hasSuffix("b\(number)"))
                }
            }
        }
    }

    @Test("place a session key that nobody knows, too")
    func unknownKey() async throws {
        try await Self.withBackends(accepts: true) { proxy in
            for number in 0..<12 {
                let cookie = "APPID=key-\(number); limpet=\(Self.text("b\(number % 4)"))"
                for cookie in [cookie, "APPID=key-\(number)"] {
                    let response = try proxy.exchange(Self.request(cookie))
                    #expect(response.hasSuffix("b\(number % 4)"))
                }
            }
        }
    }

    @Test("have no effect where they are not accepted, or name nobody", arguments: [true, false])
    func noEffect(_ accepts: Bool) async throws {
        try await Self.withBackends(accepts: accepts) { proxy in
            let name = accepts ? "b9" : "b1"
            let seen = try Set(
                (0..<40).map { _ in try proxy.exchange(Self.request("limpet=\(Self.text(name))")).suffix(2) })
            #expect(seen.count > 1)
        }
    }
}
