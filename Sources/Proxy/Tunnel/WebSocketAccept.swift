import Crypto

/// What a server answers to the nonce of a WebSocket's handshake (RFC 6455, section 4.2.2). Servers of HTTP/2 get no
/// nonce (RFC 8441, section 5.1), and clients of HTTP/1.1 expect the answer.
enum WebSocketAccept {
    private static let name = Array("sec-websocket-key".utf8)
    private static let suffix = Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)

    /// - Parameter head: of the request, in the form of HTTP/1.1.
    /// - Returns: empty if the request has no nonce.
    static func answer(toHead head: UnsafeRawBufferPointer) -> [UInt8] {
        for line in head.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                line[..<colon].elementsEqual(name, by: { $0 | 0x20 == $1 })
            else { continue }
            return answer(to: line[(colon + 1)...].filter { $0 > UInt8(ascii: " ") })
        }
        return []
    }

    private static func answer(to nonce: [UInt8]) -> [UInt8] {
        Base64.encode(Array(Insecure.SHA1.hash(data: nonce + suffix)))
    }
}
