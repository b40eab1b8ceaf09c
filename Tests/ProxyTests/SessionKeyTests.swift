import Affinity
import Foundation
import LimpetTestKit
import Synchronization
import Testing

@testable import Proxy

@Suite("Session keys")
struct SessionKeyTests {
    private enum Source: CaseIterable {
        case header, query, appCookie

        func request(_ key: String) -> String {
            let fields =
                switch self {
                case .header: "X-Session-ID: \(key)\r\n"
                case .query: ""
                case .appCookie: "Cookie: theme=dark; APPID=\(key); x=y\r\n"
                }
            let target = self == .query ? "/?a=1&sid=\(key)&b=2" : "/"
            return "GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
        }
    }

    /// What the exchange log was told of each request, in their order.
    private static func records(
        of requests: [String], service: String = "app"
    ) async throws -> (records: [ExchangeLogEntry], responses: [String], counters: WorkerCounters) {
        let backend = try ScriptedBackend.answering(ok("b"))
        defer { backend.close() }
        let recorder = RecordedExchanges()
        var options = ProxyHarness.Options()
        options.exchangeLog = recorder
        options.service = service
        var responses: [String] = []
        var counters: WorkerCounters?
        try await withProxy(to: [backend.port], options) { proxy in
            for (index, request) in requests.enumerated() {
                responses.append(try proxy.exchange(request))
                try #require(Waiting.until(within: 10) { recorder.all.count == index + 1 })
            }
            counters = try await proxy.counters()
        }
        return (recorder.all, responses, try #require(counters))
    }

    /// Keys that somebody or something could take for one another, each to be sent as it stands.
    private static let lookAlikes: [String] =
        longOnes + [
            "a", "A", "%61", "%41", "aa", "a%20", "%20a", "a+", "a%00", "%00a", "a%00b", "%00", "a%0D%0Ab", "a%0d%0ab",
            "a%0Ab", "a%0Db", "%0D%0AX-Session-ID:b", "{a}", "{b}a", "a{b}", "a{}", "{}a", "%7Ba%7D", "limpet:{a}",
            "%D0%B0", "%C3%A9", "e%CC%81", "%EF%BD%81", "a%E2%80%8B", "%E2%80%8Ba", "%FF", "%fF", "%C0%80", "*", "?",
            "0", "00", "-0", "null", "..", ".", "/a", "a/", "a'", "a%22", "a%26sid=b", "a=", "=a", "a==", "1e1", "10",
        ]

    /// Up to the longest that counts, different at their ends alone.
    private static let longOnes: [String] = [4095, 4096].flatMap { count in
        ["x", "y"].flatMap { end in
            let filling = String(repeating: "k", count: count - 1)
            return [filling + end, end + filling]
        }
    }

    @Test("that are not the same to the byte never share a fingerprint, whatever they look like, wherever they stand")
    func lookAlikesDiffer() async throws {
        let keys = Self.lookAlikes
        try #require(Set(keys.map { Array($0.utf8) }).count == keys.count)
        let requests = Source.allCases.flatMap { source in keys.map(source.request) }
        let outcome = try await Self.records(of: requests)
        #expect(outcome.responses.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
        // None was given our cookie, as one without a session key would be.
        #expect(!outcome.responses.contains { $0.contains("Set-Cookie") })
        var sessions: [Fingerprint: String] = [:]
        for (record, request) in zip(outcome.records, requests) {
            let other = sessions.updateValue(request, forKey: try #require(record.fingerprint))
            #expect(other == nil, "\(request.prefix(200)) is taken for \(other?.prefix(200) ?? "")")
        }
        #expect(sessions.count == requests.count)
        #expect(outcome.counters.oversizedSessionKeys == 0)
    }

    @Test("in a field or a cookie may be any bytes that a field may have, and differ by each of them")
    func rawBytes() async throws {
        let keys = [
            "\"a\"", "a", "a b", "a  b", "a\tb", "é", "e\u{301}", "а", "ａ", "a\u{200B}", "a\u{AD}", "ſ", "s", "ı", "i",
            "K", "\u{212A}", "{a}", "\\a", "a,b", "a\u{2028}b",
        ]
        try #require(Set(keys.map { Array($0.utf8) }).count == keys.count)
        for source in [Source.header, .appCookie] {
            let outcome = try await Self.records(of: keys.map(source.request))
            let fingerprints = outcome.records.compactMap(\.fingerprint)
            #expect(outcome.responses.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
            // Quotation marks around a cookie's value are none of it.
            #expect(Set(fingerprints).count == keys.count - (source == .appCookie ? 1 : 0))
        }
    }

    @Test("are the same to the byte, and the spaces around a field's value are no part of it")
    func sameKey() async throws {
        let requests = [Source.header.request("a"), Source.header.request("a"), Source.header.request("  a \t ")]
        let outcome = try await Self.records(of: requests)
        #expect(Set(outcome.records.map(\.fingerprint)).count == 1)
        #expect(outcome.records.map(\.epoch) == [1, 1, 1])
    }

    @Test("of one service are not those of another")
    func services() async throws {
        let requests = Source.allCases.map { $0.request("a") }
        let one = try await Self.records(of: requests, service: "app")
        let other = try await Self.records(of: requests, service: "app2")
        #expect(Set((one.records + other.records).compactMap(\.fingerprint)).count == 6)
    }

    @Test("with a line end or a zero byte as they are have no way in: the request is refused")
    func refused() async throws {
        let requests = ["a\0b", "a\rb", "\0", "a\r\n\0:b"].flatMap { key in
            Source.allCases.map { $0.request(key) }
        }
        let backend = try ScriptedBackend.answering(ok("b"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            for request in requests {
                let response = try proxy.exchange(request)
                #expect(response.hasPrefix("HTTP/1.1 400 "), "\(request.debugDescription)")
            }
        }
        #expect(backend.connectionCount == 0)
    }

    @Test("that are too long count as absent, and are counted", arguments: [4097, 8192])
    func oversized(_ count: Int) async throws {
        let key = String(repeating: "k", count: count)
        let outcome = try await Self.records(of: Source.allCases.map { $0.request(key) })
        // A session begins, as for a request without any key.
        #expect(outcome.responses.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
        #expect(outcome.responses.allSatisfy { $0.contains("\r\nSet-Cookie: limpet=") })
        #expect(outcome.records.map(\.provenance) == [.placed, .placed, .placed])
        #expect(Set(outcome.records.compactMap(\.fingerprint)).count == 3)
        #expect(outcome.counters.oversizedSessionKeys == 3)
    }

    @Test("that are too long leave the next source its turn")
    func nextSource() async throws {
        let long = String(repeating: "k", count: 5000)
        let both = "GET /?sid=a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Session-ID: \(long)\r\n\r\n"
        let alone = "GET /?sid=a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        let outcome = try await Self.records(of: [both, alone])
        #expect(outcome.records[0].fingerprint != nil)
        #expect(outcome.records[0].fingerprint == outcome.records[1].fingerprint)
        #expect(outcome.counters.oversizedSessionKeys == 1)
    }

    @Test("that are empty or too long do not hide one of the same source behind them")
    func hidden() async throws {
        let long = String(repeating: "k", count: 4097)
        for bad in ["", long] {
            for (source, request) in [
                (Source.header, Self.request("X-Session-ID: \(bad)\r\nX-Session-ID: a\r\n")),
                (.query, Self.request("", target: "/?sid=\(bad)&x=y&sid=a")),
                (.appCookie, Self.request("Cookie: APPID=\(bad); x=y; APPID=a\r\n")),
                (.appCookie, Self.request("Cookie: APPID=\(bad)\r\nCookie: APPID=a\r\n")),
            ] {
                let outcome = try await Self.records(of: [request, source.request("a")])
                #expect(outcome.records[0].fingerprint == outcome.records[1].fingerprint, "\(source)")
                #expect(outcome.counters.oversizedSessionKeys == (bad.isEmpty ? 0 : 1))
            }
        }
    }

    private static func request(_ fields: String, target: String = "/") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
    }

    @Test("that this replica knows count before those of the same source that it does not, up to the fourth")
    func known() async throws {
        func requests(_ keys: [String]) -> [String] {
            [
                Self.request(keys.map { "X-Session-ID: h-\($0)\r\n" }.joined()),
                Self.request("", target: "/?" + keys.map { "sid=q-\($0)" }.joined(separator: "&")),
                Self.request("Cookie: " + keys.map { "APPID=c-\($0)" }.joined(separator: "; ") + "\r\n"),
            ]
        }
        for index in 0..<3 {
            let outcome = try await Self.records(
                of: [
                    ["known"], ["stale", "known"], ["x", "y", "\(index)", "known"], ["a", "b", "", "c", "d", "known"],
                    ["known", "stale"], ["new"],
                ].map { requests($0)[index] })
            let found = outcome.records.map(\.fingerprint)
            #expect(found[1] == found[0] && found[2] == found[0] && found[4] == found[0])
            #expect(found[3] != found[0] && found[5] != found[0])
            #expect(outcome.records.map(\.provenance) == [.claimed, .cached, .cached, .claimed, .cached, .claimed])
        }
    }

    @Test("in a cookie are the same with quotation marks around them and without")
    func quoted() async throws {
        let outcome = try await Self.records(
            of: ["a", "\"a\"", "\"\"a\"\"", "\"", "\"a", "a\""].map(Source.appCookie.request))
        #expect(Set(outcome.records.compactMap(\.fingerprint)).count == 5)
        #expect(outcome.records[0].fingerprint == outcome.records[1].fingerprint)
        let empty = try await Self.records(of: [Source.appCookie.request("\"\"")])
        #expect(empty.records[0].provenance == .placed, "it is no session key")
    }

    @Test("that are empty count as absent, and are not counted")
    func empty() async throws {
        let outcome = try await Self.records(of: Source.allCases.map { $0.request("") })
        #expect(outcome.records.map(\.provenance) == [.placed, .placed, .placed])
        #expect(outcome.counters.oversizedSessionKeys == 0)
    }
}
