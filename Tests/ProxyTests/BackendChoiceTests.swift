import Affinity
import HTTPWire
import Store
import Testing

@testable import Proxy

@Suite("Which backend a request goes to")
struct BackendChoiceTests {
    private static let request = "GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\n"

    /// A step, as text.
    private static func text(_ step: BackendChoice.Step) -> String {
        switch step {
        case .readSession(let service): "read \(service.description.name)"
        case .connect(let pool): "connect \(pool.backend.name)"
        case .send: "ask the store"
        case .refuse: "refuse"
        case .impossible: "impossible"
        }
    }

    private static func decide(
        _ choice: inout BackendChoice, _ service: ServiceRuntime, _ own: LoopOfItsOwn, _ request: String = request
    ) throws -> BackendChoice.Step {
        try own.withRequest(request) { choice.decide(service.presentedSession($0)) }
    }

    private static func backends(_ names: String...) -> [Described.Backend] {
        names.enumerated().map { Described.Backend($0.element, $0.offset + 1) }
    }

    @Test("A request without a session goes in turn, and on to the next backend where one cannot be reached")
    func balanced() throws {
        let own = try LoopOfItsOwn([Described(backends: Self.backends("a", "b"), isSticky: false)])
        let service = own.table.services[0]
        var choice = BackendChoice()
        choice.begin(service, from: try LoopOfItsOwn.client())
        let first = Self.text(try Self.decide(&choice, service, own))
        let (route, pool, fingerprint) = (choice.route, choice.pool, choice.fingerprint)
        #expect(route?.provenance == .balanced && fingerprint == nil && pool?.inFlight == 1)
        choice.pool?.markUnreachable()
        let second = Self.text(choice.backendFailed())
        #expect([first, second].sorted() == ["connect a", "connect b"])
        #expect(own.table.services[0].pools.map(\.inFlight).reduce(0, +) == 1)
        choice.pool?.markUnreachable()
        #expect(Self.text(choice.backendFailed()) == "refuse")
        choice.end()
        #expect(own.table.services[0].pools.allSatisfy { $0.inFlight == 0 })
    }

    @Test("A session that nobody here knows asks the store, and goes by its answer")
    func stamp() throws {
        let own = try LoopOfItsOwn([Described(backends: Self.backends("a", "b", "c"))])
        let service = own.table.services[0]
        var choice = BackendChoice()
        choice.begin(service, from: try LoopOfItsOwn.client())
        guard case .send(let operation) = try Self.decide(&choice, service, own) else { return #expect(Bool(false)) }
        let (none, fingerprint) = (choice.pool, choice.fingerprint)
        #expect(none == nil && fingerprint == operation.fingerprint)
        let step = choice.storeAnswered(.written, to: operation, stamp: OperationStamp(sentAt: own.loop.now()))
        let (route, pool) = (choice.route, choice.pool)
        #expect(route?.provenance == .claimed && pool?.inFlight == 1)
        // The next request of the session asks nothing.
        var next = BackendChoice()
        next.begin(service, from: try LoopOfItsOwn.client())
        #expect(Self.text(try Self.decide(&next, service, own)) == Self.text(step))
        let nextRoute = next.route
        #expect(nextRoute?.provenance == .cached && pool?.inFlight == 2)
        choice.end()
        next.end()
        #expect(service.pools.allSatisfy { $0.inFlight == 0 })
    }

    @Test("A session that our cookie begins is placed at once, and its cookie is set on the response")
    func placed() throws {
        let own = try LoopOfItsOwn([Described(backends: Self.backends("a"))])
        let service = own.table.services[0]
        var choice = BackendChoice()
        choice.begin(service, from: try LoopOfItsOwn.client())
        let step = try Self.decide(&choice, service, own, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let (route, cookies) = (choice.route, choice.setCookies())
        #expect(Self.text(step) == "connect a" && route?.provenance == .placed)
        #expect(String(decoding: cookies, as: UTF8.self).hasPrefix("Set-Cookie: limpet="))
        choice.end()
        let none = choice.setCookies()
        #expect(none.isEmpty)
    }

    @Test("A session that our cookie carries is touched by one replica, and by none while its cookie is young")
    func touched() throws {
        var options = ProxyHarness.Options()
        options.idleTimeoutMilliseconds = 3_600_000
        let own = try LoopOfItsOwn([Described(backends: Self.backends("a"))], options)
        let service = own.table.services[0]
        let renewal = try #require(service.sessionRules.renewal)
        let cookie = try #require(service.sessionRules.affinityCookie)
        let id = AffinityCookieSealer.SessionID(high: 1, low: 2)
        let session = try #require(service.fingerprint(of: id))
        let binding = Binding(backend: service.description.membership.backends[0].hash, epoch: 1)
        let now = own.loop.now()
        service.affinity.cache.store(
            BindingCache.Entry(
                binding: binding, kind: .confirmed, confirmedAt: now,
                expiresAt: now.advanced(byMilliseconds: service.description.settings.recordLifetimeMilliseconds / 2)),
            for: session, now: now)
        /// What is touched for a request with a hint of this age, and whether its response sets a cookie.
        func request(age: UInt32) throws -> (touch: StoreOperation?, setsCookie: Bool) {
            let hint = Hint(binding: binding, createdAtSeconds: 0, issued: own.loop.wallClock() - age)
            let line = String(decoding: cookie.line(id, hint, isSecure: false, random: (1, 2)), as: UTF8.self)
            let value = line.dropFirst("Set-Cookie: ".count).prefix { $0 != ";" && $0 != "\r" }
            var choice = BackendChoice()
            choice.begin(service, from: try LoopOfItsOwn.client())
            _ = try Self.decide(&choice, service, own, "GET / HTTP/1.1\r\nHost: h\r\nCookie: \(value)\r\n\r\n")
            let (route, cookies) = (choice.route, choice.setCookies())
            choice.end()
            return (route?.touch, !cookies.isEmpty)
        }
        let young = try request(age: renewal.vouchingAgeSeconds - 2)
        #expect(young.touch == nil && !young.setsCookie)
        // The touch is not answered yet.
        let older = try request(age: renewal.vouchingAgeSeconds + 1)
        #expect(older.touch != nil && !older.setsCookie)
        let old = try request(age: renewal.vouchingAgeSeconds * 2)
        #expect(old.setsCookie)
    }

    @Test("A weighted service has the session of its child read next, and another child where one has no backend")
    func weighted() throws {
        let own = try LoopOfItsOwn([
            Described(name: "all", children: [("one", 1), ("two", 1)], isSticky: false),
            Described(name: "one", backends: Self.backends("a"), isSticky: false),
            Described(name: "two", backends: Self.backends("b"), isSticky: false),
        ])
        let service = own.table.services[0]
        var choice = BackendChoice()
        choice.begin(service, from: try LoopOfItsOwn.client())
        guard case .readSession(let child) = try Self.decide(&choice, service, own) else { return #expect(Bool(false)) }
        #expect(["one", "two"].contains(child.description.name))
        #expect(Self.text(try Self.decide(&choice, child, own)).hasPrefix("connect "))
        choice.pool?.markUnreachable()
        guard case .readSession(let other) = choice.backendFailed() else { return #expect(Bool(false)) }
        #expect(other !== child)
        #expect(Self.text(try Self.decide(&choice, other, own)).hasPrefix("connect "))
        choice.pool?.markUnreachable()
        #expect(Self.text(choice.backendFailed()) == "refuse")
    }

    @Test("Keys that a response issues are those of services that learn, but for the request's own session")
    func issued() throws {
        var options = ProxyHarness.Options()
        options.learns = true
        let own = try LoopOfItsOwn([Described(backends: Self.backends("a"))], options)
        let service = own.table.services[0]
        var choice = BackendChoice()
        choice.begin(service, from: try LoopOfItsOwn.client())
        guard case .send(let operation) = try Self.decide(&choice, service, own) else { return #expect(Bool(false)) }
        _ = choice.storeAnswered(.written, to: operation, stamp: OperationStamp(sentAt: own.loop.now()))
        let learns = choice.learns
        #expect(learns)
        for (fields, count) in [
            ("X-Session-ID: s\r\n", 0), ("X-Session-ID: other\r\n", 1), ("Set-Cookie: APPID=k\r\n", 1),
            ("Content-Length: 0\r\n", 0),
        ] {
            let keys = try own.withResponse("HTTP/1.1 200 OK\r\n\(fields)\r\n") { choice.issuedKeys($0) }
            #expect(keys.count == count)
        }
        let (key, other) = (choice.isSessionKey(Array("x-session-id".utf8)), choice.isSessionKey(Array("x-other".utf8)))
        #expect(key && !other)
    }
}
