import HTTPWire

/// What the response to an extended CONNECT (RFC 8441) must be. Its client takes each 2xx for the beginning of a
/// tunnel, and cannot verify the answer to the nonce of the handshake, which Limpet has made.
struct ExtendedConnect {
    /// The right answer; nil if the protocol is not WebSocket.
    private let accept: [UInt8]?

    /// - Parameters:
    ///   - view: a request that came over HTTP/2. No other one has an Upgrade field (RFC 9113, section 8.2.2).
    ///   - offer: the protocol, one that needs a tunnel.
    init(_ view: RequestView, offering offer: UpgradeProtocols) {
        accept = offer.areWebSocket ? WebSocketAccept.answer(toHead: view.bytes) : nil
    }

    /// Whether HTTP/2 can carry it to a backend.
    var isWebSocket: Bool { accept != nil }

    /// Why the client must not get this response; nil if it may.
    func refusal(of response: ResponseView) -> Cause? {
        let status = response.head.status
        if response.head.isSwitchingProtocols {
            return isAccepted(by: response) ? nil : Cause(.switchRefused, "its Sec-WebSocket-Accept is not right")
        }
        guard (200..<300).contains(status) else { return nil }
        return Cause(.switchRefused, "it answered with \(status), and did not switch")
    }

    private func isAccepted(by response: ResponseView) -> Bool {
        guard let accept else { return true }
        let fields = response.fields
        guard let index = fields.firstIndex(named: "sec-websocket-accept", in: response.bytes) else { return false }
        return response.bytes[fields[index].valueRange].elementsEqual(accept)
    }
}
