import HTTPWire
import Testing

@Suite("Host")
struct HostTests {
    @Test(
        "a valid host, with or without port, is accepted",
        arguments: [
            "a", "shop.example", "shop.example:80", "a:0", "a:65535", "127.0.0.1", "127.0.0.1:8080", "a_b", "A-B.c",
            "x%20y", "[::]", "[::1]:80", "[2001:db8::1]", "[1:2:3:4:5:6:7:8]", "[::ffff:10.0.0.1]",
            "[1:2:3:4:5:6:1.2.3.4]",
            "[1::]", "[fe80::1:2]", "!$&'()*+,;=~",
        ])
    func valid(host: String) {
        #expect(scanRequest("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").values?.host == host)
        #expect(scanRequest("GET http://\(host)/x HTTP/1.1\r\nHost: \(host)\r\n\r\n").values?.authority == host)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", ":", ":80", "a::", "a:80:", "a:65536", "a:123456", "a:8x", "a:-1", "a:80:80", "a b", "a/b", "a?b",
            "u@a", "a\\b",
            "http://a",
            "%", "%2", "%zz", "a%2", "\u{E9}", "a\"", "<a>", "[", "[]", "[::1", "::1", "[::1]x", "[::1]::", "[1]",
            "[1:2]",
            "[:1::]", "[1::2::3]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]", "[12345::]", "[::1.2.3]",
            "[::1.2.3.256]",
            "[::1.2.3.04]", "[::1.2.3.4.5]", "[::1%eth0]", "[v1.a]", "[g::]", "[:::]", "[1:]", "[1.2.3.4]",
        ])
    func invalid(host: String) {
        #expect(scanRequest("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").refusal == .malformedHost)
        #expect(scanRequest("GET http://b/ HTTP/1.1\r\nHost: \(host)\r\n\r\n").refusal == .malformedHost)
    }

    @Test(
        "an empty port means none: its colon is not passed on",
        arguments: ["a:", "shop.example:", "127.0.0.1:", "[::1]:", "x%20y:"])
    func emptyPort(host: String) throws {
        let name = String(host.dropLast())
        let head = bytes("GET / HTTP/1.1\r\nA: 1\r\nHost: \t\(host) \r\nB: 2\r\n\r\n")
        let table = FieldTable()
        #expect(scanRequest(head, into: table).values?.host == name)
        #expect(table.first(.host).map { latin1(head[table[$0].valueRange]) } == name)
        #expect(keptBytes(table, head) == "A: 1\r\nHost:\(name)\r\nB: 2\r\n")
        let absolute = scanRequest("GET http://\(host)/x HTTP/1.1\r\nHost: b\r\n\r\n").values
        #expect(absolute?.authority == name)
        #expect(absolute?.host == name)
        #expect(absolute?.path == "/x")
    }

    @Test("HTTP/1.1 has exactly one Host, HTTP/1.0 at most one")
    func number() {
        #expect(scanRequest("GET / HTTP/1.1\r\n\r\n").refusal == .missingHost)
        #expect(scanRequest("GET http://a/ HTTP/1.1\r\n\r\n").refusal == .missingHost)
        #expect(scanRequest("GET / HTTP/1.0\r\n\r\n").values?.host == nil)
        #expect(scanRequest("GET / HTTP/1.0\r\n\r\n").values != nil)
        #expect(scanRequest("GET / HTTP/1.0\r\nHost: \r\n\r\n").refusal == .malformedHost)
        for version in ["1.0", "1.1"] {
            #expect(scanRequest("GET / HTTP/\(version)\r\nHost: a\r\nhost: a\r\n\r\n").refusal == .duplicateHost)
        }
    }

    @Test("of a target in absolute form and Host the target counts, and Host is not passed on")
    func absoluteForm() throws {
        for host in ["a", "a:80", "b", "a.", "A"] {
            let head = bytes("GET http://a:80/ HTTP/1.1\r\nHost: \(host)\r\nX: 1\r\n\r\n")
            let table = FieldTable()
            let values = try #require(scanRequest(head, into: table).values)
            #expect(values.authority == "a:80")
            #expect(values.host == "a:80")
            #expect(table.first(.host) == nil)
            #expect(keptBytes(table, head) == "X: 1\r\n")
        }
        let old = scanRequest("GET http://a.example/ HTTP/1.0\r\n\r\n").values
        #expect(old?.authority == "a.example")
        #expect(old?.host == "a.example")
    }
}
