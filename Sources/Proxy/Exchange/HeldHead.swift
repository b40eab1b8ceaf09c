import HTTPWire

/// The head of a request that is looked at again in a later turn of the loop, when the worker's table holds another's.
/// Not longer than the limits of heads allow.
final class HeldHead {
    private let bytes: [UInt8]
    private let client: ClientIdentity

    init(_ request: RequestView) {
        bytes = Array(request.bytes[..<request.head.length])
        client = request.client
    }

    /// Calls `body` with the head's fields in the worker's table again. Returns false where that cannot be, which would
    /// be a mistake of ours: the same bytes have been scanned before.
    func look(_ loop: LoopContext, _ body: (RequestView) -> Void) -> Bool {
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
extension HeldHead: Sendable {}
