import Foundation
import Testing

@testable import Proxy

@Suite("What is written anew in the head that a backend is sent")
struct UpstreamRewritingTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n"

    /// The values of a field, in the order in which they stand.
    private func values(_ name: String, _ head: String) -> [String] {
        head.components(separatedBy: "\r\n").compactMap { line in
            line.lowercased().hasPrefix(name.lowercased() + ":") ? String(line.dropFirst(name.count + 2)) : nil
        }
    }

    @Test("is the client's own, with what we say behind it")
    func plain() throws {
        let head = try Rendered.upstream("\r\nGET /a?b HTTP/1.1\r\nHost: h:81\r\nConnection: x\r\nX: 1\r\nA: 2\r\n\r\n")
        #expect(
            head == """
                GET /a?b HTTP/1.1\r\nHost: h:81\r\nA: 2\r\nX-Forwarded-For: 192.0.2.7\r\nX-Real-Ip: 192.0.2.7\r\n\
                X-Forwarded-Proto: http\r\nX-Forwarded-Server: r1\r\nX-Forwarded-Port: 81\r\n\
                X-Forwarded-Host: h:81\r\n\r\n
                """)
    }

    // MARK: Targets and hosts

    @Test(
        "names one authority: that of an absolute target, else that of Host",
        arguments: [
            ("GET http://x.test:80/a HTTP/1.1\r\nHost: x.test", "GET /a", "x.test:80"),
            ("GET http://x.test/a HTTP/1.1\r\nhost: evil", "GET /a", "x.test"),
            ("GET http://x.test?q HTTP/1.1\r\nHost: x.test", "GET /?q", "x.test"),
            ("GET http://a.example/ HTTP/1.0", "GET /", "a.example"),
            ("GET http://a.example:/b HTTP/1.0\r\nHost: c", "GET /b", "a.example"),
            ("GET / HTTP/1.1\r\nHost: x.test:", "GET /", "x.test"),
            ("GET / HTTP/1.1\r\nHost: [::1]:", "GET /", "[::1]"),
            ("GET /a HTTP/1.0\r\nHost: x.test:8080", "GET /a", "x.test:8080"),
        ])
    func authority(request: String, start: String, host: String) throws {
        let head = try Rendered.upstream(request + "\r\nA: 1\r\n\r\n")
        #expect(head.hasPrefix("\(start) HTTP/1.1\r\n"))
        #expect(values("Host", head.replacing("Host:\(host)", with: "Host: \(host)")) == [host])
        #expect(values("X-Forwarded-Host", head) == [host])
        #expect(!head.contains("evil"))
        #expect(values("A", head) == ["1"])
        try Rendered.view(request + "\r\n\r\n") { view in #expect(view.host.elementsEqual(host.utf8)) }
        var options = Rendered.Options()
        options.passHost = false
        let other = try Rendered.upstream(request + "\r\nA: 1\r\n\r\n", options)
        #expect(values("Host", other) == ["b:1"])
        #expect(values("X-Forwarded-Host", other) == [host])
    }

    @Test("has the backend's own authority for an HTTP/1.0 request that names none")
    func noAuthority() throws {
        let head = try Rendered.upstream("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
        #expect(head.hasPrefix("GET / HTTP/1.1\r\n"))
        #expect(values("Host", head) == ["b:1"])
        #expect(values("X-Forwarded-Host", head) == [])
        #expect(values("Expect", head) == [])
    }

    @Test(
        "asks about the server as a whole where the client does",
        arguments: [
            ("OPTIONS *", "*"), ("OPTIONS http://h", "*"), ("OPTIONS http://h?", "/?"), ("OPTIONS http://h/", "/"),
            ("OPTIONS http://h?q", "/?q"), ("OPTIONS /", "/"), ("GET http://h", "/"),
        ])
    func asterisk(start: String, target: String) throws {
        let head = try Rendered.upstream("\(start) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(head.hasPrefix("\(start.prefix { $0 != " " }) \(target) HTTP/1.1\r\n"))
        // A rule sees the path of the resource that the root is.
        try Rendered.view("\(start) HTTP/1.1\r\nHost: h\r\n\r\n") { view in
            #expect(view.path.elementsEqual("/".utf8))
        }
    }

    @Test("has Content-Length without leading zeros")
    func paddedLength() throws {
        let head = try Rendered.upstream("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0200\r\nA: 1\r\n\r\n")
        #expect(head.contains("\r\nContent-Length:200\r\nA: 1\r\n"))
    }

    @Test(
        "has no offer of HTTP/2, which the client of an ordinary request makes beside it",
        arguments: ["Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"])
    func upgrade(lines: String) throws {
        let head = try Rendered.upstream("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\(lines)A: 1\r\n\r\n")
        #expect(head.hasPrefix("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nA: 1\r\nX-Forwarded-For: "))
        #expect(!head.contains("pgrade") && !head.contains("HTTP2"))
    }

    // MARK: Max-Forwards

    @Test(
        "counts Max-Forwards down where it counts",
        arguments: [
            ("OPTIONS", "Max-Forwards: 3", ["2"]), ("TRACE", "max-forwards:10", ["9"]),
            ("OPTIONS", "Max-Forwards: 007", ["6"]),
            ("OPTIONS", "Max-Forwards: 3\r\nMAX-FORWARDS: 8", ["2"]), ("GET", "Max-Forwards: 3", ["3"]),
            ("OPTIONS", "Max-Forwards: x", ["x"]), ("OPTIONS", "Max-Forwards: -1", ["-1"]),
            ("TRACE", "Max-Forwards:", [""]),
            ("OPTIONS", "Max-Forwards: 99999999999999999999", ["999999998"]), ("OPTIONS", "X: 1", []),
        ])
    func maxForwards(method: String, line: String, sent: [String]) throws {
        let head = try Rendered.upstream("\(method) / HTTP/1.1\r\nHost: h\r\n\(line)\r\n\r\n")
        #expect(values("Max-Forwards", head.replacing("Forwards:\r", with: "Forwards: \r")) == sent)
    }

    // MARK: Forwarding fields

    @Test(
        "says the port by which the client came: that of the host, else that of the scheme",
        arguments: [
            ("h", nil, "80"), ("h:8443", nil, "8443"), ("[::1]", nil, "80"), ("[::1]:81", nil, "81"), ("h1", nil, "80"),
            ("1.2.3.4", nil, "80"), ("h", "https", "443"), ("h", "wss", "443"), ("h", "http", "80"), ("h", "ws", "80"),
            ("h:81", "https", "81"), ("h:", "https", "443"), ("h", "", "80"),
        ] as [(String, String?, String)])
    func port(host: String, scheme: String?, port: String) throws {
        let lines = scheme.map { "X-Forwarded-Proto: \($0)\r\n" } ?? ""
        let request = "GET / HTTP/1.1\r\nHost: \(host)\r\n\(lines)\r\n"
        var options = Rendered.Options()
        options.isTrusted = true
        #expect(values("X-Forwarded-Port", try Rendered.upstream(request, options)) == [port])
        let untrusted = scheme == nil || host.contains(":8") ? port : "80"
        #expect(values("X-Forwarded-Port", try Rendered.upstream(request)) == [untrusted])
    }

    @Test(
        "has each forwarding field once: a trusted peer's where it sent one, else ours",
        arguments: [
            ("", ["192.0.2.7", "192.0.2.7", "http", "80", "h", "r1"]),
            ("X-Forwarded-Port: 444\r\n", ["192.0.2.7", "192.0.2.7", "http", "444", "h", "r1"]),
            ("X-Forwarded-Proto: https\r\n", ["192.0.2.7", "192.0.2.7", "https", "443", "h", "r1"]),
            ("X-Forwarded-Server: lb\r\n", ["192.0.2.7", "192.0.2.7", "http", "80", "h", "r1"]),
            ("x-forwarded-host: o\r\n", ["192.0.2.7", "192.0.2.7", "http", "80", "o", "r1"]),
            ("X-Real-IP: 1.1.1.1\r\n", ["192.0.2.7", "1.1.1.1", "http", "80", "h", "r1"]),
            (
                "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n",
                ["1.1.1.1, 2.2.2.2, 192.0.2.7", "192.0.2.7", "http", "80", "h", "r1"]
            ),
            (
                "X-Forwarded-For:\r\nX-Forwarded-Proto:\r\nX-Forwarded-Port: \r\nX-Real-Ip:\r\nX-Forwarded-Host:\r\n",
                ["192.0.2.7", "192.0.2.7", "http", "80", "h", "r1"]
            ),
            (
                "X-Forwarded-Server: a\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Proto: wss\r\nX-Real-Ip: 3\r\n"
                    + "X-Forwarded-For: 4\r\nX-Forwarded-Host: 5\r\n", ["4, 192.0.2.7", "3", "wss", "1", "5", "r1"]
            ),
        ])
    func trusted(lines: String, expected: [String]) throws {
        var options = Rendered.Options()
        options.isTrusted = true
        let names = [
            "X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Host",
            "X-Forwarded-Server",
        ]
        let head = try Rendered.upstream(Self.get + lines + "\r\n", options)
        for (name, value) in zip(names, expected) { #expect(values(name, head) == [value], "\(name)") }
        // What an untrusted peer says counts for nothing.
        let ours = try Rendered.upstream(Self.get + lines + "\r\n")
        #expect(ours == (try Rendered.upstream(Self.get + "\r\n")))
        // A rule sees what is sent, but for the chain, of which it sees what came.
        for isTrusted in [true, false] {
            let sent = isTrusted ? head : ours
            try Rendered.view(Self.get + lines + "\r\n", isTrusted: isTrusted) { view in
                for name in names.dropFirst() { #expect(Self.seen(name, view) == values(name, sent), "\(name)") }
            }
        }
    }

    @Test("passes on what a trusted peer says beyond that, and of an untrusted one nothing")
    func others() throws {
        let lines = "Forwarded: for=1\r\nX-Forwarded-Prefix: /a\r\nX-Forwarded-Tls: 1\r\nX-Other: 2\r\n"
        var options = Rendered.Options()
        options.isTrusted = true
        #expect(
            try Rendered.upstream(Self.get + lines + "\r\n", options).hasPrefix(Self.get + lines + "X-Forwarded-For: "))
        let untrusted = try Rendered.upstream(Self.get + lines + "\r\n")
        #expect(untrusted.hasPrefix(Self.get + "X-Other: 2\r\nX-Forwarded-For: "))
        #expect(!untrusted.contains("Forwarded: for") && !untrusted.contains("Prefix") && !untrusted.contains("Tls"))
    }

    private static func seen(_ name: String, _ view: RequestView) -> [String] {
        var found: [String] = []
        _ = Array(name.lowercased().utf8).withUnsafeBytes { name in
            view.hasField(named: name) { value in
                found.append(String(decoding: value, as: UTF8.self))
                return false
            }
        }
        return found
    }

    // MARK: What middlewares edit

    @Test("has the path of middlewares in place of the client's, and its query")
    func path() throws {
        var options = Rendered.Options()
        options.path = "/new"
        #expect(
            try Rendered.upstream("GET /old?q HTTP/1.0\r\nHost: h\r\n\r\n", options).hasPrefix(
                "GET /new?q HTTP/1.1\r\n"))
        #expect(
            try Rendered.upstream("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", options).hasPrefix(
                "GET /new HTTP/1.1\r\n"))
    }

    @Test(
        "has the fields of middlewares behind all others, and none of those that they take away, in any spelling",
        arguments: [false, true])
    func edits(isTrusted: Bool) throws {
        var options = Rendered.Options()
        options.isTrusted = isTrusted
        options.edits = [
            .remove(name: "X-Gone"), .set(name: "X-User", value: "u"), .add(name: "X-More", value: Array("2".utf8)),
            .set(name: "X-Forwarded-Proto", value: "https"), .set(name: "X-Real-Ip", value: "9"),
            .remove(name: "X-Forwarded-Server"),
        ]
        let lines =
            "x-gone: 1\r\nX_User: evil\r\nX-More: 1\r\nX-USER: evil\r\nKept: 1\r\nX-Forwarded-Proto: wss\r\nX-Forwarded-For: 1\r\n"
        let head = try Rendered.upstream(Self.get + lines + "\r\n", options)
        let forwarded =
            isTrusted
            ? "X-Forwarded-For: 1, 192.0.2.7\r\nX-Forwarded-Port: 443\r\n"
            : "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Port: 80\r\n"
        #expect(
            head == Self.get + "X-More: 1\r\nKept: 1\r\n" + forwarded
                + "X-Forwarded-Host: h\r\nX-User: u\r\nX-More: 2\r\nX-Forwarded-Proto: https\r\nX-Real-Ip: 9\r\n\r\n")
    }

    @Test("has the Host that a middleware sets, whatever the client's and the backend's are", arguments: [false, true])
    func host(passHost: Bool) throws {
        var options = Rendered.Options()
        options.passHost = passHost
        options.edits = [.set(name: "Host", value: "set")]
        for request in [Self.get, "GET http://h/ HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.0\r\n"] {
            let head = try Rendered.upstream(request + "\r\n", options)
            #expect(values("Host", head) == ["set"])
            #expect(head.hasSuffix("Host: set\r\n\r\n"))
        }
    }
}
