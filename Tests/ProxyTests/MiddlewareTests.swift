import Affinity
import Foundation
import LimpetTestKit
import Routing
import Testing

@testable import Proxy

@Suite("Middlewares")
struct MiddlewareTests {
    /// What a backend behind the middlewares saw of each request, and what the client got.
    static func outcome(
        _ middlewares: [Middleware], _ requests: [String], response: String = ok("b"),
        _ change: (inout ProxyHarness.Options) throws -> Void = { _ in }
    ) async throws -> (heads: [String], responses: [String]) {
        let backend = try ScriptedBackend.answering(response)
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.middlewares = middlewares
        options.isSticky = false
        try change(&options)
        var responses: [String] = []
        try await withProxy(to: [backend.port], options) { proxy in
            for request in requests { responses.append(try proxy.exchange(request)) }
        }
        return (backend.heads, responses)
    }

    static func get(_ target: String = "/", _ fields: String = "", method: String = "GET") -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: shop.example:8000\r\nConnection: close\r\n\(fields)\r\n"
    }

    private static func firstLine(_ head: String) -> String { head.components(separatedBy: "\r\n")[0] }

    @Test(
        "stripPrefix takes off the first prefix that the path begins with, and tells the backend",
        arguments: [
            ("/api", "/", "/api"), ("/api/", "/", "/api"), ("/api/x?y=/api/z", "/x?y=/api/z", "/api"),
            ("/apix", "/x", "/api"), ("/api%2Fx", "/%2Fx", "/api"), ("/%61pi/x%20y", "/x%20y", "/api"),
            ("/v1/api/x", "/api/x", "/v1"), ("/other/api", "/other/api", nil), ("/ap%69//x", "//x", "/api"),
            ("http://shop.example:8000/api/x", "/x", "/api"), ("/a%20b/c", "/c", "/a%20b"),
            ("/a%2Fd/c", "/c", "/a%2Fd"),
            ("/a/d/c", "/a/d/c", nil),
        ])
    func stripPrefix(_ target: String, _ path: String, _ prefix: String?) async throws {
        let outcome = try await Self.outcome(
            [.stripPrefix(["/v1", "/api", "/a b", "/a%2Fd"])], [Self.get(target)])
        let head = try #require(outcome.heads.first)
        #expect(Self.firstLine(head) == "GET \(path) HTTP/1.1")
        let told = head.fieldLines.filter { $0.hasPrefix("x-forwarded-prefix:") }
        #expect(told == (prefix.map { ["x-forwarded-prefix: \($0.lowercased())"] } ?? []))
    }

    @Test(
        "stripPrefix answers 400 where it would leave a dot segment, which a backend may take away",
        arguments: ["/pub../admin", "/pub%2e%2e/admin", "/pub..;/admin", "/pub.", "/pub..", "/pub.%2fx", "/pub..\\x"])
    func strippedToDots(_ target: String) async throws {
        let outcome = try await Self.outcome([.stripPrefix(["/pub"]), .addPrefix("/public")], [Self.get(target)])
        #expect(outcome.responses[0].hasPrefix("HTTP/1.1 400 ") && outcome.heads.isEmpty)
    }

    @Test("addPrefix puts its prefix before the path; one after the other works on what the first has left")
    func addPrefix() async throws {
        let outcome = try await Self.outcome(
            [.stripPrefix(["/a"]), .addPrefix("/x y"), .stripPrefix(["/x"])],
            [Self.get("/a/b?c"), Self.get("/b")])
        #expect(
            outcome.heads.map(Self.firstLine) == [
                "GET /%20y/b?c HTTP/1.1", "GET /%20y/b HTTP/1.1",
            ])
        #expect(
            outcome.heads[0].fieldLines.filter { $0.hasPrefix("x-forwarded-prefix") } == [
                "x-forwarded-prefix: /a", "x-forwarded-prefix: /x",
            ])
        // An untrusted client says nothing about prefixes.
        let forged = try await Self.outcome(
            [.stripPrefix(["/a"])], [Self.get("/a/b", "X-Forwarded-Prefix: /evil\r\n")])
        #expect(forged.heads[0].fieldLines.filter { $0.hasPrefix("x-forwarded-prefix") } == ["x-forwarded-prefix: /a"])
    }

    @Test("headers sets, replaces and removes fields of the request, our own forwarding fields included")
    func requestHeaders() async throws {
        let edits = HeaderEdits(
            requestSet: [
                .init(name: "X-Forwarded-Proto", value: "https"), .init(name: "X-New", value: "1"),
                .init(name: "Content-Length", value: "99"), .init(name: "Connection", value: "X-New"),
            ],
            requestRemove: ["user-agent", "Transfer-Encoding", "Host"])
        let request =
            "POST /p HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\nUSER-AGENT: b\r\nX-NEW: old\r\nConnection: close\r\n"
            + "Content-Length: 2\r\n\r\nhi"
        let head = try #require(try await Self.outcome([.headers(edits)], [request]).heads.first)
        let lines = head.fieldLines.filter { !$0.isEmpty }
        #expect(lines.contains("x-forwarded-proto: https") && lines.contains("x-new: 1"))
        #expect(lines.filter { $0.hasPrefix("x-forwarded-proto") || $0.hasPrefix("x-new") }.count == 2)
        #expect(lines.contains("host: h") && lines.contains("content-length: 2"))
        #expect(!lines.contains { $0.hasPrefix("user-agent") || $0.hasPrefix("connection") })
        #expect(head.hasPrefix("POST /p HTTP/1.1\r\n") && head.hasSuffix("\r\n\r\n"))
    }

    @Test("what a middleware sets or removes of a request is nowhere in it under another spelling")
    func otherSpellings() async throws {
        let edits = HeaderEdits(
            requestSet: [.init(name: "X-User", value: "ada")], requestRemove: ["X-Remote-Address"])
        let fields = "X_User: admin\r\nx-_user: admin\r\nX_Remote-Address: a\r\nXUser: kept\r\nX-User-Name: kept\r\n"
        let head = try #require(try await Self.outcome([.headers(edits)], [Self.get("/", fields)]).heads.first)
        let lines = head.fieldLines.filter { $0.contains("user") || $0.contains("remote") }
        #expect(lines == ["xuser: kept", "x-user-name: kept", "x-user: ada"])
    }

    @Test("headers gives a backend the Host that it says, whatever the service would", arguments: [true, false])
    func hostHeader(_ passHost: Bool) async throws {
        let edits = HeaderEdits(requestSet: [.init(name: "Host", value: "inside.example")])
        let old = "GET / HTTP/1.0\r\n\r\n"
        let outcome = try await Self.outcome([.headers(edits)], [Self.get(), old]) { $0.passHost = passHost }
        for head in outcome.heads {
            #expect(head.fieldLines.filter { $0.hasPrefix("host:") } == ["host: inside.example"])
        }
        #expect(outcome.heads[0].contains("X-Forwarded-Host: shop.example:8000\r\n"))
    }

    @Test("headers sets and removes fields of the response; our own cookie stays, and what frames it")
    func responseHeaders() async throws {
        let edits = HeaderEdits(
            responseSet: [
                .init(name: "Strict-Transport-Security", value: "max-age=9"), .init(name: "X-Kept", value: "ours"),
                .init(name: "Content-Length", value: "0"),
            ],
            responseRemove: ["server", "Set-Cookie", "Content-Length", "Connection"])
        let response = ok("body", "Server: s\r\nX-Kept: theirs\r\nSet-Cookie: a=b\r\nServer: t\r\n")
        let outcome = try await Self.outcome([.headers(edits)], [Self.get()], response: response) { $0.isSticky = true }
        let text = outcome.responses[0]
        #expect(text.contains("\r\nStrict-Transport-Security: max-age=9\r\n") && text.hasSuffix("\r\n\r\nbody"))
        #expect(text.fieldLines.filter { $0.hasPrefix("x-kept") } == ["x-kept: ours"])
        #expect(text.fieldLines.filter { $0.hasPrefix("content-length") } == ["content-length: 4"])
        #expect(!text.fieldLines.contains { $0.hasPrefix("server") })
        let cookies = text.fieldLines.filter { $0.hasPrefix("set-cookie") }
        #expect(cookies.count == 1 && cookies[0].hasPrefix("set-cookie: limpet="))
    }

    @Test("of two that set one field of the response the first in order has the last word, also on our own answers")
    func responseOrder() async throws {
        func headers(_ value: String) -> Middleware {
            .headers(HeaderEdits(responseSet: [.init(name: "X-Who", value: value)]))
        }
        let refusing = Middleware.ipAllowList(IPAllowList(ranges: []))
        let passing = try await Self.outcome([headers("outer"), headers("inner")], [Self.get()])
        #expect(passing.responses[0].fieldLines.filter { $0.hasPrefix("x-who") } == ["x-who: outer"])
        let refused = try await Self.outcome([headers("outer"), refusing, headers("inner")], [Self.get()])
        #expect(refused.responses[0].hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
        #expect(refused.responses[0].fieldLines.filter { $0.hasPrefix("x-who") } == ["x-who: outer"])
    }

    @Test("a field that a middleware sets is a session key as it left it, not as the client sent it")
    func sessionKeyOfMiddleware() async throws {
        let backends = try (0..<4).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        var options = ProxyHarness.Options()
        options.sources = [.header("X-Session-ID")]
        options.middlewares = [.headers(HeaderEdits(requestSet: [.init(name: "x-session-id", value: "one")]))]
        try await withProxy(to: backends.map(\.port), options) { proxy in
            let seen = try Set((0..<8).map { try proxy.exchange(Self.get("/", "X-Session-ID: \($0)\r\n")).suffix(2) })
            #expect(seen.count == 1)
        }
    }

    @Test("a router whose service is not there answers 503, and the connection stays")
    func noService() async throws {
        let backend = try ScriptedBackend.answering(ok("b"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.hasService = false
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTPConnection(port: proxy.port)
            for _ in 0..<2 { #expect(try client.exchange(HTTPRequest()).status == 503) }
            #expect(try await proxy.counters().refused[.noService] == 2)
        }
    }
}

@Suite("ipAllowList")
struct AllowListTests {
    private static func statuses(
        _ list: IPAllowList, _ fields: [String], trusted: Bool = false
    ) async throws -> [Substring] {
        try await MiddlewareTests.outcome([.ipAllowList(list)], fields.map { MiddlewareTests.get("/", $0) }) {
            if trusted { $0.trusted = [try AddressRange("127.0.0.1")] }
        }.responses.map { $0.dropFirst(9).prefix(3) }
    }

    @Test("lets the addresses of its ranges pass and refuses all others with its status")
    func ranges() async throws {
        let local = try AddressRange("127.0.0.0/8")
        let other = try AddressRange("10.0.0.0/8")
        #expect(try await Self.statuses(IPAllowList(ranges: [other, local]), [""]) == ["200"])
        #expect(try await Self.statuses(IPAllowList(ranges: [other]), [""]) == ["403"])
        #expect(try await Self.statuses(IPAllowList(ranges: [other], refusalStatus: 404), [""]) == ["404"])
        #expect(try await Self.statuses(IPAllowList(ranges: [other], refusalStatus: 499), [""]) == ["499"])
        // What the client says of itself is nothing.
        #expect(try await Self.statuses(IPAllowList(ranges: [other]), ["X-Forwarded-For: 10.0.0.1\r\n"]) == ["403"])
    }

    @Test("looks at a place of X-Forwarded-For, counted from the right, of a trusted peer alone")
    func depth() async throws {
        let list = IPAllowList(ranges: [try AddressRange("10.0.0.0/8"), try AddressRange("fd00::/8")], depth: 2)
        let fields = [
            "X-Forwarded-For: 10.0.0.1, 1.2.3.4\r\n", "X-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n",
            "X-Forwarded-For: 10.0.0.1\r\n", "", "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 1.2.3.4\r\n",
            "X-Forwarded-For: ::ffff:10.0.0.1, x\r\n", "X-Forwarded-For: nonsense, 1.2.3.4\r\n",
            "X-Forwarded-For: fd00::1, 1.2.3.4\r\n", "X-Forwarded-For: 10.0.0.1:99, 1.2.3.4\r\n",
        ]
        let expected: [Substring] = ["200", "403", "403", "403", "200", "200", "403", "200", "403"]
        #expect(try await Self.statuses(list, fields, trusted: true) == expected)
        #expect(try await Self.statuses(list, [fields[0]]) == ["403"])
    }

    @Test("answers on a connection that stays, where no body is left unread")
    func keepsConnection() async throws {
        let backend = try ScriptedBackend.answering(ok("b"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.middlewares = [.ipAllowList(IPAllowList(ranges: []))]
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTPConnection(port: proxy.port)
            for _ in 0..<3 { #expect(try client.exchange(HTTPRequest()).status == 403) }
            let last = try client.exchange(HTTPRequest("POST", "/", body: Array("body".utf8)))
            #expect(last.status == 403 && last["Connection"] == "close")
            #expect(try await proxy.counters().refused[.addressRefused] == 4)
        }
        #expect(backend.connectionCount == 0)
    }
}

@Suite("redirectScheme")
struct RedirectTests {
    private static func answers(
        _ redirect: SchemeRedirect, _ requests: [String], before: [Middleware] = [], trusted: Bool = false
    ) async throws -> [String] {
        try await MiddlewareTests.outcome(before + [.redirectScheme(redirect)], requests) {
            if trusted { $0.trusted = [try AddressRange("127.0.0.1")] }
        }.responses
    }

    private static func location(_ response: String) -> String? {
        response.components(separatedBy: "\r\n").first { $0.hasPrefix("Location: ") }.map { String($0.dropFirst(10)) }
    }

    @Test(
        "says where the same thing is, and keeps the method of all but GET",
        arguments: [
            ("GET", false, 302), ("HEAD", false, 307), ("POST", false, 307), ("GET", true, 301), ("PUT", true, 308),
        ])
    func status(_ method: String, _ isPermanent: Bool, _ status: Int) async throws {
        let redirect = SchemeRedirect(scheme: .https, isPermanent: isPermanent)
        let answer = try await Self.answers(redirect, [MiddlewareTests.get("/a/b?c=d", method: method)])[0]
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        #expect(Self.location(answer) == "https://shop.example/a/b?c=d")
    }

    @Test("names its port unless it is the scheme's own", arguments: [(443, ""), (8443, ":8443")])
    func port(_ port: Int, _ text: String) async throws {
        let answer = try await Self.answers(SchemeRedirect(scheme: .https, port: port), [MiddlewareTests.get("/")])[0]
        #expect(Self.location(answer) == "https://shop.example\(text)/")
    }

    @Test("leaves a request alone that came by the scheme; a trusted peer says by which")
    func matching() async throws {
        let https = SchemeRedirect(scheme: .https)
        let forwarded = ["https", "HTTPS", "wss", "http", "ws", "nonsense"].map {
            MiddlewareTests.get("/", "X-Forwarded-Proto: \($0)\r\n")
        }
        let statuses = try await Self.answers(https, forwarded, trusted: true).map { $0.dropFirst(9).prefix(3) }
        #expect(statuses == ["200", "200", "200", "302", "302", "302"])
        #expect(try await Self.answers(https, [forwarded[0]])[0].hasPrefix("HTTP/1.1 302 "))
        #expect(
            try await Self.answers(SchemeRedirect(scheme: .http), [MiddlewareTests.get()])[0].hasPrefix("HTTP/1.1 200"))
        let told = Middleware.headers(HeaderEdits(requestSet: [.init(name: "X-Forwarded-Proto", value: "https")]))
        #expect(try await Self.answers(https, [MiddlewareTests.get()], before: [told])[0].hasPrefix("HTTP/1.1 200"))
    }

    @Test(
        "cannot be made to point elsewhere or to hold anything else",
        arguments: [
            ("//evil.example/x", "h", "https://h//evil.example/x"),
            ("/\\evil.example", "h", "https://h/%5Cevil.example"),
            ("/a\"<>^`{|}b", "h", "https://h/a%22%3C%3E%5E%60%7B%7C%7Db"),
            ("/%0d%0aX:y", "h", "https://h/%0d%0aX:y"), ("http://h/a", "h", "https://h/a"),
            ("http://h", "h", "https://h/"),
            ("/", "[::1]:80", "https://[::1]/"),
            ("/a??b=?", "h", "https://h/a??b=?"),
        ])
    func injection(_ target: String, _ host: String, _ location: String) async throws {
        let request = "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
        let answer = try await Self.answers(SchemeRedirect(scheme: .https), [request])[0]
        #expect(Self.location(answer) == location)
        #expect(answer.components(separatedBy: "Location").count == 2)
    }

    @Test("is not asked about a target that is none", arguments: ["/a#b", "/é?é"])
    func noTarget(_ target: String) async throws {
        let request = "GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        let answer = try await Self.answers(SchemeRedirect(scheme: .https), [request])[0]
        #expect(answer.hasPrefix("HTTP/1.1 400 ") && Self.location(answer) == nil)
    }

    @Test("answers 400 where an old client does not say which host it wants")
    func noHost() async throws {
        let answer = try await Self.answers(SchemeRedirect(scheme: .https), ["GET / HTTP/1.0\r\n\r\n"])[0]
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
    }

    @Test("tells the path as the middlewares before it left it")
    func afterStrip() async throws {
        let answer = try await Self.answers(
            SchemeRedirect(scheme: .https), [MiddlewareTests.get("/api/x?y")], before: [.stripPrefix(["/api"])])[0]
        #expect(Self.location(answer) == "https://shop.example/x?y")
    }
}

@Suite("basicAuth")
struct BasicAuthTests {
    private static func auth(_ change: (inout BasicAuth) -> Void = { _ in }) throws -> Middleware {
        var settings = BasicAuth(
            realm: "shop",
            users: [
                .init(name: "ada", passwordHash: try #require(PasswordHash(htpasswd: PasswordTests.secret))),
                .init(name: "bob", passwordHash: .sha1("5en6G6MezRroT3XKqkdPOmY/BfQ=")),
            ])
        change(&settings)
        return .basicAuth(settings)
    }

    private static func field(_ user: String, _ password: String) -> String {
        "Authorization: Basic \(Data("\(user):\(password)".utf8).base64EncodedString())\r\n"
    }

    @Test("lets nobody pass without a known name and its password")
    func refuses() async throws {
        let fields = [
            "", Self.field("ada", "Secret"), Self.field("eve", "secret"), Self.field("", ""),
            "Authorization: Bearer x\r\n",
            "Authorization: Basic !\r\n",
        ]
        let outcome = try await MiddlewareTests.outcome([try Self.auth()], fields.map { MiddlewareTests.get("/", $0) })
        #expect(outcome.heads.isEmpty)
        for answer in outcome.responses {
            #expect(answer.hasPrefix("HTTP/1.1 401 Unauthorized\r\n"))
            #expect(answer.contains("\r\nWWW-Authenticate: Basic realm=\"shop\"\r\n"))
        }
    }

    @Test("lets those pass who know, and shows the backend what it is told to")
    func passes() async throws {
        let requests = [Self.field("ada", "secret"), Self.field("bob", "secret")].map {
            MiddlewareTests.get("/x", $0 + "X-User: admin\r\n")
        }
        let plain = try await MiddlewareTests.outcome([try Self.auth()], requests)
        #expect(plain.responses.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") } && plain.heads.count == 2)
        #expect(plain.heads.allSatisfy { $0.contains("\r\nAuthorization: Basic ") && $0.contains("X-User: admin") })
        let named = try Self.auth {
            $0.headerField = "X-User"
            $0.removesHeader = true
        }
        let told = try await MiddlewareTests.outcome([named, .stripPrefix(["/x"])], requests)
        #expect(
            told.heads.map { $0.fieldLines.filter { $0.hasPrefix("x-user") } } == [["x-user: ada"], ["x-user: bob"]])
        #expect(told.heads.allSatisfy { !$0.contains("Authorization") && $0.hasPrefix("GET / HTTP/1.1\r\n") })
    }

    @Test("keeps a body and the next request until the password has been checked")
    func heldBody() async throws {
        let backend = try ScriptedBackend { connection, _ in
            var count = 0
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                if head.contains("Content-Length: 5") { _ = try connection.receive(until: "hello") }
                count += 1
                try connection.send(ok("n\(count)"))
            }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.middlewares = [try Self.auth()]
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            let post = "POST / HTTP/1.1\r\nHost: h\r\n\(Self.field("ada", "secret"))Content-Length: 5\r\n\r\nhello"
            try client.send(post + MiddlewareTests.get("/", Self.field("bob", "secret")))
            let all = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(all.contains("\r\n\r\nn1HTTP/1.1 200 ") && all.hasSuffix("\r\n\r\nn2"))
        }
    }

    @Test("checks a wrong password on a connection that stays, and forgets a client that goes away meanwhile")
    func goneAway() async throws {
        let backend = try ScriptedBackend.answering(ok("b"))
        defer { backend.close() }
        let slow = "$2y$10$" + PasswordTests.secret.dropFirst(7)
        var options = ProxyHarness.Options()
        options.middlewares = [
            .basicAuth(BasicAuth(users: [.init(name: "ada", passwordHash: .bcrypt(String(slow)))]))
        ]
        try await withProxy(to: [backend.port], options) { proxy in
            for _ in 0..<5 {
                let client = try proxy.connect()
                try client.send(MiddlewareTests.get("/", Self.field("ada", "x")))
                client.reset()
            }
            let client = try HTTPConnection(port: proxy.port)
            let wrong = HTTPRequest(fields: ["Authorization": "Basic YWRhOng="])
            for _ in 0..<2 { #expect(try client.exchange(wrong).status == 401) }
            let end = ContinuousClock.now + .seconds(10)
            while try await proxy.onLoop({ $0.openClients }) > 1, ContinuousClock.now < end {}
            #expect(try await proxy.onLoop { $0.openClients } == 1)
            #expect(try await proxy.counters().impossible == 0)
        }
        #expect(backend.connectionCount == 0)
    }

    @Test("answers 503 and when to come again where too many passwords wait")
    func overloaded() async throws {
        let backend = try ScriptedBackend.answering(ok("b"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.middlewares = [try Self.auth()]
        let passwords = PasswordVerifier(threads: 1, limit: 0)
        options.passwords = passwords
        try await withProxy(to: [backend.port], options) { proxy in
            let answer = try proxy.exchange(MiddlewareTests.get("/", Self.field("ada", "secret")))
            #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"))
            #expect(try await proxy.counters().refused[.passwordsOverloaded] == 1)
        }
        try await passwords.shutDown()
    }

    @Test("shows no hash when it is described")
    func secrecy() throws {
        #expect(!"\(try Self.auth())".contains("$2y$"))
        #expect(!"\(try Self.auth())".contains("5en6G6"))
    }
}
