import HTTPWire
import Testing

@Suite("Protocols of an upgrade")
struct UpgradeProtocolsTests {
    private func offered(_ fields: String) throws -> UpgradeProtocols {
        let head = bytes("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        let table = FieldTable()
        _ = try #require(scanRequest(head, into: table).values)
        return head.withUnsafeBytes { UpgradeProtocols(of: table, in: $0) }
    }

    private func accepted(_ fields: String, of offer: String) throws -> String? {
        let offer = try offered("Upgrade: \(offer)\r\n")
        let head = bytes("HTTP/1.1 101 Switching Protocols\r\n\(fields)\r\n")
        let table = FieldTable()
        _ = head.withUnsafeBytes { HeadScanner().scanResponse($0, requestMethod: .get, into: table) }
        return head.withUnsafeBytes { offer.accepted(by: table, in: $0) }.map { latin1($0.value) }
    }

    @Test(
        "versions of HTTP and TLS, and what is malformed, are not passed on",
        arguments: [
            ("Upgrade: websocket\r\n", "websocket"), ("Upgrade: h2c, WebSocket\r\n", "WebSocket"),
            ("Upgrade: HTTP/2.0,foo/1 ,TLS/1.2\r\nUpgrade: h2\r\nUpgrade: bar\r\n", "foo/1, bar"),
            ("Upgrade: h2c\r\n", ""), ("Upgrade: web socket, a/b/c, /x, x/, b\r\n", "b"), ("", ""),
        ])
    func offers(_ fields: String, _ value: String) throws {
        let offer = try offered(fields)
        #expect(latin1(offer.value) == value)
        #expect(offer.isEmpty == value.isEmpty)
    }

    @Test(
        "a 101 names what it accepts, which must have been offered",
        arguments: [
            ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket"),
            ("Upgrade: WEBSOCKET\r\nConnection: x, upgrade\r\n", "WEBSOCKET"),
            ("Connection: upgrade\r\nUpgrade: foo/1, websocket\r\n", "foo/1, websocket"),
            ("Connection: upgrade\r\nUpgrade: foo/2\r\n", nil), ("Connection: upgrade\r\nUpgrade: foo\r\n", nil),
            ("Connection: upgrade\r\nUpgrade: websocket, bar\r\n", nil), ("Connection: upgrade\r\n", nil),
            ("Connection: upgrade\r\nUpgrade: ,\r\n", nil), ("Upgrade: websocket\r\n", nil),
            ("Connection: close\r\nUpgrade: websocket\r\n", nil), ("Connection: upgrade\r\nUpgrade: h2c\r\n", nil),
        ])
    func accepts(_ fields: String, _ expected: String?) throws {
        #expect(try accepted(fields, of: "websocket, foo/1, h2c") == expected)
        #expect(try accepted(fields, of: "h2c") == nil, "nothing was offered")
    }

    @Test("only WebSocket alone is WebSocket")
    func webSocket() throws {
        #expect(try offered("Upgrade: WebSocket\r\n").areWebSocket)
        for other in ["websocket, x", "websocket/13", "websockets", "x"] {
            #expect(try !offered("Upgrade: \(other)\r\n").areWebSocket)
        }
        #expect(!UpgradeProtocols().areWebSocket)
    }
}
