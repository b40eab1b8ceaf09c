import Affinity
import Crypto
import Foundation
import LimpetTestKit
import Routing
import Testing

@testable import Proxy

@Suite("Sessions over the wire")
struct SessionTests {
    private static func request(_ fields: String, target: String = "/") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
    }

    private func withBackends(
        _ options: ProxyHarness.Options = .init(), _ body: (ProxyHarness) async throws -> Void
    ) async throws {
        let backends = try (0..<4).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        try await withProxy(to: backends.map(\.port), options, body)
    }

    @Test("each source keeps its sessions on one backend, and different keys are spread")
    func sources() async throws {
        try await withBackends { proxy in
            for make in [
                { (key: String) in Self.request("X-Session-ID: \(key)\r\n") },
                { (key: String) in Self.request("", target: "/?a=1&sid=\(key)&b=2") },
                { (key: String) in Self.request("Cookie: theme=dark; APPID=\(key); x=y\r\n") },
            ] {
                var seen: Set<String> = []
                for key in 0..<16 {
                    let backends = try Set((0..<3).map { _ in try proxy.exchange(make("key-\(key)")).suffix(2) })
                    #expect(backends.count == 1, "key-\(key) was served by \(backends)")
                    seen.formUnion(backends.map(String.init))
                }
                #expect(seen.count > 1)
            }
        }
    }

    @Test("the address of the peer, or its beginning, is a key, whatever X-Forwarded-For says")
    func clientAddress() async throws {
        var options = ProxyHarness.Options()
        options.sources = [.clientAddress]
        options.trusted = [try AddressRange("127.0.0.0/8")]
        try await withBackends(options) { proxy in
            var homes: Set<String> = []
            for host in UInt8(1)...24 {
                let backends = try Set(
                    (0..<3).map { number in
                        String(
                            try proxy.exchange(Self.request("X-Forwarded-For: 10.0.0.\(number)\r\n"), from: host)
                                .suffix(2))
                    })
                #expect(backends.count == 1)
                homes.formUnion(backends)
            }
            #expect(homes.count > 1)
        }
        options.ipv4Prefix = 27
        try await withBackends(options) { proxy in
            let near = try (UInt8(1)...31).map { try proxy.exchange(Self.request(""), from: $0).suffix(2) }
            #expect(Set(near).count == 1)
            let far = try (0..<8).map { try proxy.exchange(Self.request(""), from: $0 * 32 + 1).suffix(2) }
            #expect(Set(far).count > 1)
        }
    }

    @Test("a client without a session is given our cookie, and stays by it; the cookie is not given again at once")
    func affinityCookie() async throws {
        try await withBackends { proxy in
            for _ in 0..<8 {
                let first = try proxy.exchange(Self.request(""))
                let cookie = try #require(Self.cookie(of: first))
                #expect(first.contains("; Path=/\r\n"))
                for _ in 0..<3 {
                    let next = try proxy.exchange(Self.request("Cookie: a=b; limpet=\(cookie)\r\n"))
                    #expect(next.suffix(2) == first.suffix(2))
                    #expect(Self.cookie(of: next) == nil)
                }
            }
        }
    }

    @Test("a cookie that is forged, cut, altered or of another service changes nothing: a new session begins")
    func forged() async throws {
        var other = ProxyHarness.Options()
        other.service = "other"
        var foreign = ""
        try await withBackends(other) { proxy in
            foreign = try #require(Self.cookie(of: try proxy.exchange(Self.request(""))))
        }
        try await withBackends { proxy in
            let own = try #require(Self.cookie(of: try proxy.exchange(Self.request(""))))
            var altered = Array(own.utf8)
            altered[40] = altered[40] == 65 ? 66 : 65
            for bad in [foreign, String(own.dropLast()), own + "A", String(decoding: altered, as: UTF8.self), "b1", ""]
            {
                let response = try proxy.exchange(Self.request("Cookie: limpet=\(bad)\r\n"))
                #expect(response.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(Self.cookie(of: response) != nil, "\(bad.count) bytes were believed")
            }
            // Quotation marks around it are none of it (RFC 6265, section 4.1.1).
            #expect(Self.cookie(of: try proxy.exchange(Self.request("Cookie: limpet=\"\(own)\"\r\n"))) == nil)
            // Of two cookies of the name, the authentic one counts.
            let both = try proxy.exchange(Self.request("Cookie: limpet=forged; limpet=\(own)\r\n"))
            #expect(Self.cookie(of: both) == nil)
        }
    }

    @Test("the cookie of one replica is accepted by another with the same keys, and rolled keys open the old ones")
    func otherReplica() async throws {
        let backends = try (0..<4).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        let old = SymmetricKey(data: [UInt8](repeating: 1, count: 32))
        let new = SymmetricKey(data: [UInt8](repeating: 2, count: 32))
        var cookies: [(cookie: String, backend: Substring)] = []
        for keys in [[old], [old, new], [new, old]] {
            var options = ProxyHarness.Options()
            options.cookieKeys = keys
            try await withProxy(to: backends.map(\.port), options) { proxy in
                for (cookie, backend) in cookies {
                    let response = try proxy.exchange(Self.request("Cookie: limpet=\(cookie)\r\n"))
                    #expect(response.suffix(2) == backend)
                    #expect(Self.cookie(of: response) == nil)
                }
                let response = try proxy.exchange(Self.request(""))
                cookies.append((try #require(Self.cookie(of: response)), response.suffix(2)))
            }
        }
    }

    @Test(
        "a session key that nobody knows begins where our cookie in the same request says",
        arguments: ["X-Session-ID: key-#\r\n", "Cookie: APPID=key-#\r\n", ""])
    func unknownKey(_ fields: String) async throws {
        try await withBackends { proxy in
            for number in 0..<12 {
                let first = try proxy.exchange(Self.request(""))
                let cookie = try #require(Self.cookie(of: first))
                let key = fields.replacingOccurrences(of: "#", with: "\(number)")
                let target = fields.isEmpty ? "/?sid=\(number)" : "/"
                let next = try proxy.exchange(Self.request("\(key)Cookie: limpet=\(cookie)\r\n", target: target))
                #expect(next.suffix(2) == first.suffix(2))
                #expect(Self.cookie(of: next) == nil)
                // From then on it is bound there, and cookies of others do not count.
                let other = try #require(Self.cookie(of: try proxy.exchange(Self.request(""))))
                for cookie in ["", "Cookie: limpet=\(other)\r\n"] {
                    #expect(
                        try proxy.exchange(Self.request(key + cookie, target: target)).suffix(2) == first.suffix(2))
                }
            }
        }
    }

    @Test("a cookie that is not authentic, or too old, places no session key")
    func unknownKeyForged() async throws {
        try await withBackends { proxy in
            let sealing = AffinityCookieSealer(keys: proxy.options.cookieKeys, service: "app")
            let hash = try #require(proxy.current.first?.membership.backends.first?.hash)
            let now = UInt32(Date().timeIntervalSince1970)
            func cookie(issued: UInt32) -> String {
                let hint = Hint(binding: Binding(backend: hash, epoch: 1), createdAtSeconds: issued, issued: issued)
                return String(decoding: sealing.seal(.init(high: 1, low: 2), hint, random: (3, 4)), as: UTF8.self)
            }
            func homes(_ cookie: String) throws -> Set<Substring> {
                try Set(
                    (0..<12).map { number in
                        let fields = "X-Session-ID: \(cookie.prefix(150))-\(number)\r\nCookie: limpet=\(cookie)\r\n"
                        return try proxy.exchange(Self.request(fields)).suffix(2)
                    })
            }
            #expect(try homes(cookie(issued: now)) == ["b0"])
            #expect(try homes(cookie(issued: now - 200)).count > 1)
            var forged = Array(cookie(issued: now))
            let sealed = forged.count - 10
            forged[sealed] = forged[sealed] == "A" ? "B" : "A"
            #expect(try homes(String(forged)).count > 1)
        }
    }

    @Test("cookie attributes are as configured")
    func attributes() async throws {
        var options = ProxyHarness.Options()
        options.cookie = CookieAttributes(
            name: "c", secure: true, httpOnly: true, sameSite: .strict, maxAge: 42, path: "/foo", domain: "foo.com")
        try await withBackends(options) { proxy in
            let line = try #require(
                try proxy.exchange(Self.request("")).components(separatedBy: "\r\n").first {
                    $0.hasPrefix("Set-Cookie: c=")
                })
            #expect(line.hasSuffix("; Path=/foo; Domain=foo.com; Max-Age=42; HttpOnly; Secure; SameSite=Strict"))
        }
    }

    @Test("no error answer carries a cookie")
    func errorsCarryNoCookie() async throws {
        try await withProxy(to: [try closedPort()]) { proxy in
            let response = try proxy.exchange(Self.request(""))
            #expect(response.hasPrefix("HTTP/1.1 503 "))
            #expect(Self.cookie(of: response) == nil)
        }
    }

    private static func cookie(of response: String) -> String? {
        response.components(separatedBy: "\r\n").first { $0.hasPrefix("Set-Cookie: limpet=") }
            .map { String($0.dropFirst("Set-Cookie: limpet=".count).prefix { $0 != ";" }) }
    }
}

@Suite("Sealed cookies")
struct SessionCookieTests {
    private let cookie = AffinityCookieSealer(keys: [SymmetricKey(size: .bits256)], service: "app")
    private let id = AffinityCookieSealer.SessionID(high: 1, low: 2)
    private let hint = Hint(
        binding: Binding(backend: BackendHash(bits: 77), epoch: 5), createdAtSeconds: 10, issued: 20)

    @Test("what was sealed opens to the same session and hint")
    func opens() {
        let text = cookie.seal(id, hint, random: (3, 4))
        #expect(text.count == AffinityCookieSealer.textLength)
        #expect(text.withUnsafeBytes { cookie.open($0) } == AffinityCookieSealer.Opened(session: id, hint: hint))
    }

    @Test("every altered letter, every shorter and longer text, and every other service refuse to open")
    func refuses() {
        let text = cookie.seal(id, hint, random: (3, 4))
        for index in text.indices {
            for letter in [UInt8(ascii: "A"), UInt8(ascii: "_"), UInt8(ascii: "="), 0] where letter != text[index] {
                var altered = text
                altered[index] = letter
                #expect(altered.withUnsafeBytes { cookie.open($0) } == nil)
            }
        }
        for count in 0..<text.count { #expect(Array(text[..<count]).withUnsafeBytes { cookie.open($0) } == nil) }
        #expect((text + [65]).withUnsafeBytes { cookie.open($0) } == nil)
    }

    @Test("sealing the same hint again gives another text, and no text shows the session's backend")
    func hides() throws {
        let telling = Hint(
            binding: Binding(backend: BackendHash(bits: 0x1234_5678), epoch: 5), createdAtSeconds: 0x6543_21FE,
            issued: 0x6543_2FED)
        let texts = try [4, 5].map { try decoded(cookie.seal(id, telling, random: (3, $0))) }
        for number in [telling.binding.backend.bits, telling.createdAtSeconds, telling.issued] {
            for order in [number.bigEndian, number.littleEndian] {
                let shown = withUnsafeBytes(of: order) { Array($0) }
                #expect(texts.allSatisfy { !$0.contains(shown) })
            }
        }
        // All that is sealed, and the tag, differ, and not the nonce alone.
        #expect(zip(texts[0], texts[1]).suffix(32).count { $0 == $1 } < 8)
    }

    @Test("says of a session that ends by age when it began, as its record does and not as the cookie before")
    func createdAtSeconds() async throws {
        try await withProxy(to: [try closedPort()]) { proxy in
            let (id, renewed, begun) = try await proxy.onLoop { worker in
                let service = worker.services[0]
                let binding = Binding(backend: service.description.membership.backends[0].hash, epoch: 1)
                func line(_ createdAtSeconds: UInt32?) -> [UInt8] {
                    service.setCookie(
                        for: .init(high: 1, low: 2), presented: Hint(binding: binding, createdAtSeconds: 7, issued: 8),
                        Decision(fingerprint: Fingerprint(high: 1, low: 2)),
                        route: Route(
                            backend: 0, binding: binding, provenance: .stored, createdAtSeconds: createdAtSeconds),
                        isSecure: false)
                }
                return (AffinityCookieSealer.SessionID(high: 1, low: 2), line(5), line(nil))
            }
            let sealing = AffinityCookieSealer(keys: proxy.options.cookieKeys, service: "app")
            for (line, createdAtSeconds) in [(renewed, UInt32(5)), (begun, 7)] {
                let text = String(decoding: line, as: UTF8.self)
                let value = try #require(text.split(separator: "=", maxSplits: 1).last?.prefix { $0 != ";" })
                let opened = try #require(Array(value.utf8).withUnsafeBytes { sealing.open($0) })
                #expect(opened.session == id && opened.hint.createdAtSeconds == createdAtSeconds)
            }
        }
    }

    private func decoded(_ text: [UInt8]) throws -> [UInt8] {
        try #require(text.withUnsafeBytes { Base64URL.decode($0) })
    }
}
