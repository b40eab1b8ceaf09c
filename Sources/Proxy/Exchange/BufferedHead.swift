import HTTPWire

/// The head of a request that is needed again in a later turn of the loop, when the worker's table holds another head.
/// Its size is bounded by the limits for heads.
final class BufferedHead {
    private let bytes: [UInt8]
    private let client: ClientConnectionInfo

    init(_ request: RequestView) {
        bytes = Array(request.bytes[..<request.head.length])
        client = request.client
    }

    /// Calls `body` with the head's fields in the worker's table again. Returns false if scanning fails, which would be
    /// a bug: the same bytes have been scanned before.
    func withView(_ loop: LoopContext, _ body: (RequestView) -> Void) -> Bool {
        bytes.withUnsafeBytes { bytes in
            guard case .head(let head) = loop.scanner.scanRequest(bytes, into: loop.requestFields) else {
                return false
            }
            body(RequestView(head: head, bytes: bytes, fields: loop.requestFields, client: client))
            return true
        }
    }
}

@available(*, unavailable)
extension BufferedHead: Sendable {}
