import Foundation
import LimpetTestKit
import Testing

@testable import Proxy

/// Requests that are meant to be read in two ways, over HTTP/1.1 and the same over HTTP/2.
@Suite("Smuggling by HTTP/2")
struct SmugglingTests {
    private static let smuggled = Array("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    private static let chunked = Array("5\r\nhello\r\n0\r\n\r\n".utf8)

    /// One that its lengths say, one in chunks, and one that is a request itself.
    private static func bodies(of one: DesyncCase) -> [[UInt8]] {
        let lengths = one.fields.filter { $0.name.lowercased() == "content-length" }.compactMap { Int($0.value) }
        let fitting = lengths.filter { (0...10_000).contains($0) }.map { [UInt8](repeating: 0x78, count: $0) }
        return [[], smuggled, chunked + smuggled] + fitting
    }

    /// Returns the status of the response; 0: there is none. The version has no place in HTTP/2, and is right.
    private static func overHTTP1(_ one: DesyncCase, _ body: [UInt8], _ proxy: ProxyHarness) throws -> Int {
        var one = one
        one.version = "HTTP/1.1"
        let client = try proxy.connect()
        try client.send(one.head + body)
        client.closeOutput()
        let answer = String(decoding: (try? client.receiveAll()) ?? [], as: UTF8.self)
        let statuses = answer.components(separatedBy: "HTTP/1.1 ").dropFirst().compactMap { Int($0.prefix(3)) }
        return statuses.first { $0 >= 200 } ?? 0
    }

    /// - Parameter tag: the value of a field by which the backend's requests are known.
    private static func overHTTP2(
        _ one: DesyncCase, lowercased: Bool, _ body: [UInt8], tag: String, _ proxy: ProxyHarness
    ) throws -> Int {
        let client = try HTTP2Client(port: proxy.port)
        defer { client.socket.close() }
        // The client knows of a stream, but sends another head on it.
        _ = client.side.send(request: "\(one.method == "HEAD" ? "HEAD" : "GET") / HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = client.side.takeOutput()
        let fields = one.block(lowercased: lowercased) + [("x-case", tag)]
        let content = body.isEmpty ? [] : HTTP2Frame.frame(type: 0, flags: 1, stream: 1, body)
        try client.socket.send(HTTP2Frame.head(ends: body.isEmpty, fields) + content)
        return try client.response(to: 1).status
    }

    /// A case with one of its bodies, by HTTP/2.
    private struct Attempt {
        let one: DesyncCase
        let body: [UInt8]
        let isServed: Bool
    }

    /// Returns what is served by HTTP/2 alone, and adds to the attempts.
    private static func differences(
        _ one: DesyncCase, _ old: ProxyHarness, _ new: ProxyHarness, _ attempts: inout [Attempt]
    ) throws -> [String] {
        var faults: [String] = []
        for body in bodies(of: one) {
            let oldStatus = try overHTTP1(one, body, old)
            for lowercased in [false, true] {
                let status = try overHTTP2(one, lowercased: lowercased, body, tag: "\(attempts.count)", new)
                attempts.append(Attempt(one: one, body: body, isServed: status == 200))
                guard status == 200, oldStatus != 200 else { continue }
                faults.append("HTTP/1.1 \(oldStatus), HTTP/2 \(status), \(body.count) bytes")
            }
        }
        return faults
    }

    /// What the backend got that differs from what was sent. A request that was not served may have had its length
    /// before its stream broke.
    private static func differences(_ requests: [StrictBackend.Request], _ attempt: Attempt) -> [String] {
        guard requests.count <= 1 else { return ["\(requests.count) requests"] }
        guard let request = requests.first else { return attempt.isServed ? ["served without a request"] : [] }
        let (body, one) = (attempt.body, attempt.one)
        let isSame =
            attempt.isServed ? request.isComplete && request.body == body : body.starts(with: request.body)
        guard isSame, request.method == one.method, request.target == one.target else {
            return ["\(request.method) \(request.target) with \(request.body.count) of \(body.count) bytes"]
        }
        return []
    }

    private static func check(_ cases: [DesyncCase], _ section: String) async throws {
        let (oldBackend, newBackend) = (try StrictBackend(), try StrictBackend())
        var attempts: [Attempt] = []
        var faults: [String: [String]] = [:]
        try await withProxy(to: [oldBackend.port]) { old in
            try await withProxy(to: [newBackend.port]) { new in
                for one in cases {
                    do {
                        faults[one.name] = try differences(one, old, new, &attempts)
                    } catch { faults[one.name] = ["\(error)"] }
                }
                for proxy in [old, new] {
                    try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
                    try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
                }
            }
        }
        #expect(oldBackend.faults + newBackend.faults == [])
        var requests = Dictionary(grouping: newBackend.takeRequests()) { $0.values(of: "x-case").joined() }
        for (number, attempt) in attempts.enumerated() {
            faults[attempt.one.name, default: []] += differences(
                requests.removeValue(forKey: "\(number)") ?? [], attempt)
        }
        #expect(requests.isEmpty, "requests that nobody sent: \(requests)")
        for one in cases {
            let own = faults[one.name] ?? []
            #expect(own.isEmpty, "\(one.tier) '\(one.name)' \(one.fields): \(own)")
            ConformanceLine.write(section, own.isEmpty ? .passed : .failed, one.name)
        }
    }

    @Test(
        "the published cases: what HTTP/1.1 refuses HTTP/2 refuses, and what is served is one request with its content",
        .enabled(
            if: DesyncCase.folder != nil, "SKIPPED: set LIMPET_CASES to the folder that holds http-desync-guardian/"))
    func published() async throws {
        let cases = try DesyncCase.all(in: #require(DesyncCase.folder))
        #expect(cases.count >= 150)
        try await Self.check(cases, "smuggling, published")
    }

    @Test("our own: what HTTP/1.1 refuses HTTP/2 refuses, and what is served is one request with its content")
    func own() async throws {
        try await Self.check(Self.fieldCases + Self.hostCases + Self.lineCases, "smuggling, our own")
    }

    private static let fieldCases: [DesyncCase] =
        [
            ("Content-Length", "3, 4"), ("Content-Length", "3, 3"), ("Content-Length", "+3"), ("Content-Length", "-3"),
            ("Content-Length", "0x3"), ("Content-Length", "3;"), ("Content-Length", "\"3\""), ("Content-Length", "3 3"),
            ("Content-Length", ""), ("Content-Length", "٣"), ("Content-Length", "99999999999999999999"),
            ("Content-Length", "18446744073709551616"), ("Content-Length", "0003"), ("Content-Length", "5"),
            ("Content-Length", "3\u{B}"), ("Content-Length", "3\r\nTransfer-Encoding: chunked"),
            ("Content-Length ", "3"),
            ("Content_Length", "3"), ("Content-Length\t", "3"), ("Content--Length", "3"), ("Content-Length\0", "3"),
            ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "Chunked"), ("Transfer-Encoding", "identity"),
            ("Transfer-Encoding", "gzip, chunked"), ("Transfer-Encoding", "chunked, identity"),
            ("Transfer-Encoding", "chunked, chunked"), ("Transfer-Encoding", "xchunked"),
            ("Transfer-Encoding", "\"chunked\""), ("Transfer-Encoding", "chunked;a=b"), ("Transfer-Encoding", ""),
            ("Transfer-Encoding", "\u{B}chunked"), ("Transfer-Encoding", "chunked\u{B}"),
            ("Transfer-Encoding", "chunked\r\n x"), ("Transfer_Encoding", "chunked"), ("Transfer--Encoding", "chunked"),
            ("Transfer-Encoding ", "chunked"), ("Transfer-Encoding\0", "chunked"),
            ("\u{B}Transfer-Encoding", "chunked"),
            (" Transfer-Encoding", "chunked"), ("Transfer-Encodin\u{17F}", "chunked"), ("TE", "chunked"),
            ("Connection", "close"), ("Connection", "content-length"), ("Connection", "transfer-encoding, upgrade"),
            ("Keep-Alive", "timeout=1"), ("Proxy-Connection", "keep-alive"), ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"), ("Expect", "100-continue"), ("Trailer", "Content-Length"),
            ("X", "a\r\nGET /smuggled HTTP/1.1"), ("X", "a\nContent-Length: 3"), ("X", "a\rContent-Length: 3"),
            ("X", "a\0b"), ("X", "a\u{7F}"), ("X", "a\u{1B}[1m"), ("X: a\r\nContent-Length", "3"), ("", "v"),
            (":", "v"),
            ("X Y", "v"), ("X(", "v"), ("X\u{E9}", "v"), ("X_Forwarded_For", "1.1.1.1"), ("X-Forwarded_Host", "h"),
            (":path", "/other"), (":method", "POST"), (":authority", "other"), (":status", "200"), (":protocol", "x"),
        ].flatMap { name, value in
            ["GET", "POST"].map { DesyncCase("\($0) with \(name.debugDescription)", $0, "/a", [(name, value)]) }
        }
        + [
            ["Content-Length": "3", "content-length": "4"], ["Content-Length": "3", "Transfer-Encoding": "chunked"],
            ["Content-Length": "3", "Transfer_Encoding": "chunked"],
            ["Content-Length": "3", "Connection": "Content-Length"],
            ["Transfer-Encoding": "chunked", "transfer-encoding": "identity"],
        ].map { fields in
            DesyncCase(
                "POST with \(fields.keys.sorted())", "POST", "/a",
                fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }

    private static let hostCases: [DesyncCase] =
        [
            "", ":", ":80", "a:80:", "a:65536", "a:8x", "a:-1", "a b", "a/b", "a?b", "u@a", "a\\b", "http://a", "%",
            "%zz",
            "\u{E9}", "a\"", "<a>", "[", "[]", "::1", "[::1]x", "[1.2.3.4]", "a\r\nX: y", "a\tb", "a, b",
        ].map { DesyncCase("host \($0.debugDescription)", "GET", "/a", [("Host", $0)]) } + [
            DesyncCase("two hosts", "GET", "/a", [("Host", "a"), ("Host", "b")]),
            DesyncCase("the same host twice", "GET", "/a", [("Host", "a"), ("host", "a")]),
        ]

    private static let lineCases: [DesyncCase] = [
        ("GET", ""), ("GET", "a"), ("GET", "*"), ("GET", "/a b"), ("GET", "/a\tb"), ("GET", "/\0"), ("GET", "/\u{7F}"),
        ("GET", "/#a"), ("GET", "/\u{E9}"), ("GET", "/..//a"), ("GET", "/%2e%2e/a"), ("GET", "/\\a"), ("GET", "/%zz"),
        ("GET", "http://b/"), ("GET", "//b/"), ("GET", "/ HTTP/1.1\r\nX: y"), ("GET", "/a HTTP/1.1"), ("G ET", "/a"),
        ("GET\t", "/a"), ("G(T", "/a"), ("", "/a"), ("GET /x HTTP/1.1\r\nX:", "/a"), ("get", "/a"), ("CONNECT", "a:1"),
        ("CONNECT", "/a"), ("PRI", "*"), ("OPTIONS", "*"), ("TRACE", "/a"), ("M-SEARCH", "/a"), ("HEAD", "/a"),
    ].map { DesyncCase("\($0.debugDescription) \($1.debugDescription)", $0, $1, []) }
}
