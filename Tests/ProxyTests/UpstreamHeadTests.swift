import HTTPWire
import NIOCore
import Routing
import Testing

@testable import Proxy

@Suite("The head of a request, as a backend sees it")
struct UpstreamHeadTests {
    private struct Malformed: Error {}

    private static func client(isTrusted: Bool) throws -> ClientConnectionInfo {
        let trusted = isTrusted ? [try AddressRange("192.0.2.0/24")] : []
        return ClientConnectionInfo(
            remote: try SocketAddress(ipAddress: "192.0.2.7", port: 4711),
            entryPoint: EntryPoint(name: "web", index: 0, trustedPeers: trusted), replicaName: "r1")
    }

    /// The lines that each of these backends gets, by its authority.
    private static func lines(
        _ request: String, isTrusted: Bool = false, passHost: Bool = true, at authorities: [String] = ["b:8080"]
    ) throws -> [[String]] {
        let fields = FieldTable(capacity: 100)
        let client = try client(isTrusted: isTrusted)
        var upstream = UpstreamHead()
        try Array(request.utf8).withUnsafeBytes { bytes in
            guard case .head(let head) = HeadScanner(limits: MessageLimits()).scanRequest(bytes, into: fields) else {
                throw Malformed()
            }
            let view = RequestView(head: head, bytes: bytes, fields: fields, client: client)
            upstream = UpstreamHead(view, passHost: passHost, into: ByteBuffer())
        }
        return try authorities.map { authority in
            let text = String(buffer: upstream.bytes(authority: authority))
            try #require(text.hasSuffix("\r\n\r\n"))
            // A line end is one character.
            return text.dropLast(2).split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        }
    }

    private static func request(_ fields: String..., line: String = "GET / HTTP/1.1") -> String {
        ([line] + fields).map { $0 + "\r\n" }.joined() + "\r\n"
    }

    /// What of the lines says where the request came from, in lower case, the port left out.
    private static func forwarding(_ lines: [String]) -> [String] {
        lines.map { $0.lowercased() }.filter { line in
            ["x-forwarded", "x-real", "forwarded"].contains(where: line.hasPrefix)
                && !line.hasPrefix("x-forwarded-port")
        }
    }

    @Test("has the client's line and fields as they were written, in their order, those alone left out that end here")
    func fields() throws {
        let request = Self.request(
            "x-odd:  spaced \t", "HOST: h.test", "Connection: x-mine, keep-alive", "Cookie: a=1", "X-Mine: hop",
            "Keep-Alive: 5", "TE: trailers", "Proxy-Authorization: secret", "X-Odd: again", "Cookie: b=2",
            line: "GET /a%20b?c=%2F&d HTTP/1.1")
        let lines = try Self.lines(request)[0]
        let kept = lines.filter { Self.forwarding([$0]).isEmpty && !$0.hasPrefix("X-Forwarded-Port") }
        #expect(
            kept == [
                "GET /a%20b?c=%2F&d HTTP/1.1", "x-odd:  spaced \t", "HOST: h.test", "Cookie: a=1", "X-Odd: again",
                "Cookie: b=2",
            ])
    }

    @Test("says where an untrusted client is by what we know, and by nothing that it says, however it spells it")
    func untrusted() throws {
        let forged = [
            "X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 6.6.6.7", "X-REAL-IP: 6.6.6.6", "Forwarded: for=6.6.6.6",
            "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Forwarded-Server: evil", "X-Forwarded-Prefix: /e",
            "X-Forwarded-Anything: e",
        ]
        let request = (["GET / HTTP/1.1", "Host: h.test"] + forged).map { $0 + "\r\n" }.joined() + "\r\n"
        try #expect(
            Self.forwarding(Self.lines(request)[0]) == [
                "x-forwarded-for: 192.0.2.7", "x-real-ip: 192.0.2.7", "x-forwarded-proto: http",
                "x-forwarded-server: r1", "x-forwarded-host: h.test",
            ])
    }

    @Test("adds a trusted peer to the addresses that it names, from however many fields, and keeps what else it says")
    func trusted() throws {
        let request = Self.request(
            "Host: h.test", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Real-Ip: 10.0.0.9",
            "x-forwarded-for: 10.0.0.2, 10.0.0.3", "Forwarded: for=10.0.0.1", "X-Forwarded-Prefix: /p")
        let said = try Self.forwarding(Self.lines(request, isTrusted: true)[0])
        #expect(
            said.filter { $0.hasPrefix("x-forwarded-for") } == [
                "x-forwarded-for: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7"
            ])
        for kept in [
            "x-forwarded-host: shop.test", "x-real-ip: 10.0.0.9", "forwarded: for=10.0.0.1", "x-forwarded-prefix: /p",
        ] {
            #expect(said.contains(kept))
        }
        #expect(Set(said.map { $0.prefix { $0 != ":" } }).count == said.count, "no field is there twice")
    }

    @Test("of a trusted peer that says nothing says what we know")
    func trustedAndSilent() throws {
        let request = Self.request("Host: h.test")
        let said = try Self.forwarding(Self.lines(request, isTrusted: true)[0])
        try #expect(Set(said) == Set(Self.forwarding(Self.lines(request)[0])))
    }

    @Test(
        "names what is wanted by its path, also where the client named it whole",
        arguments: [
            ("GET http://h.test/a?b HTTP/1.1", "GET /a?b HTTP/1.1"), ("GET http://h.test HTTP/1.1", "GET / HTTP/1.1"),
            ("GET http://h.test?b HTTP/1.1", "GET /?b HTTP/1.1"), ("GET /a?b HTTP/1.0", "GET /a?b HTTP/1.1"),
            ("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1"), ("PURGE /%zz? HTTP/1.1", "PURGE /%zz? HTTP/1.1"),
        ])
    func requestLine(_ sent: String, _ seen: String) throws {
        try #expect(Self.lines(Self.request("Host: h.test", line: sent))[0][0] == seen)
    }

    @Test("of HTTP/1.0 expects no interim answer, and has the backend's Host where it had none")
    func http10() throws {
        let lines = try Self.lines(Self.request("Expect: 100-continue", line: "GET / HTTP/1.0"))[0]
        #expect(lines.last == "Host: b:8080" && !lines.contains { $0.hasPrefix("Expect") })
        #expect(!lines.contains { $0.lowercased().hasPrefix("x-forwarded-host") }, "nobody has named one")
        try #expect(Self.lines(Self.request("Host: h", "Expect: 100-continue"))[0].contains("Expect: 100-continue"))
    }

    @Test("has the Host of whichever backend it goes to, where the client's is not passed on")
    func ownHost() throws {
        let request = Self.request("X-First: 1", "Host: h.test", "X-Last: 2")
        let sent = try Self.lines(request, passHost: false, at: ["one", "two:81", "one"])
        #expect(sent.map(\.last) == ["Host: one", "Host: two:81", "Host: one"])
        for lines in sent {
            #expect(lines.count { $0.lowercased().hasPrefix("host:") } == 1)
            #expect(lines.contains("X-Forwarded-Host: h.test"), "it is told what the client wanted")
            #expect(lines.contains("X-First: 1") && lines.contains("X-Last: 2"))
        }
        let kept = try Self.lines(request, at: ["one", "two:81"])
        #expect(kept[0] == kept[1] && kept[0].contains("Host: h.test"))
    }

    @Test("has room for all that is added to the largest one that is taken", arguments: [true, false])
    func largest(_ isTrusted: Bool) throws {
        let limits = MessageLimits()
        let host = "Host: \(String(repeating: "h", count: 8000))\r\n"
        let chain = "X-Forwarded-For: \(String(repeating: "1.2.3.4, ", count: 1600))1.2.3.4\r\n"
        var section = host + chain
        let line = "X-Field: \(String(repeating: "v", count: 600))\r\n"
        while section.utf8.count + line.utf8.count <= limits.fieldSection { section += line }
        let lines = try Self.lines("GET / HTTP/1.1\r\n\(section)\r\n", isTrusted: isTrusted)[0]
        #expect(lines.count { $0.hasPrefix("X-Field: ") } > 60)
        #expect(lines.contains(String(host.dropLast())))
        #expect(lines.contains("X-Forwarded-\(host.dropLast())"))
    }

    @Test("gives its bytes away once")
    func taking() throws {
        var head = UpstreamHead()
        #expect(head.takeBytes().readableBytes == 0)
        let fields = FieldTable(capacity: 10)
        let client = try Self.client(isTrusted: false)
        try Array(Self.request("Host: h").utf8).withUnsafeBytes { bytes in
            guard case .head(let request) = HeadScanner(limits: MessageLimits()).scanRequest(bytes, into: fields) else {
                throw Malformed()
            }
            let view = RequestView(head: request, bytes: bytes, fields: fields, client: client)
            head = UpstreamHead(view, passHost: true, into: ByteBuffer())
        }
        #expect(head.takeBytes().readableBytes > 0)
        #expect(head.takeBytes().readableBytes == 0)
    }
}
