import Testing

@testable import Proxy

@Suite("The answer to the nonce of a WebSocket")
struct WebSocketAcceptTests {
    private static func answer(_ head: String) -> String {
        let bytes = Array(head.utf8).withUnsafeBytes(WebSocketAccept.answer(toHead:))
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("is the one of RFC 6455, section 1.3, however the field is written")
    func example() {
        for name in ["Sec-WebSocket-Key: ", "sec-websocket-key:", "SEC-WEBSOCKET-KEY:\t"] {
            let head = "GET /Sec-WebSocket-Key: HTTP/1.1\r\nX: y\r\n\(name)dGhlIHNhbXBsZSBub25jZQ==\r\nZ: 1\r\n\r\n"
            #expect(Self.answer(head) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        }
    }

    @Test("is empty without a nonce")
    func none() {
        #expect(Self.answer("GET / HTTP/1.1\r\nSec-WebSocket-Keys: x\r\nSec-WebSocket-Key\r\n\r\n") == "")
    }
}
