import HTTPWire
import Routing

/// A scanned request head, its bytes, its fields, and the client that sent it. Made once for each request and passed to
/// everything that reads it; valid as long as the bytes and the field table hold this head.
///
/// Rules and session keys see the forwarding fields that a backend will see: for an untrusted peer, our own values; for
/// a trusted one, its values, and ours where it sent none.
struct RequestView: RoutableRequest {
    let head: RequestHead
    let bytes: UnsafeRawBufferPointer
    let fields: FieldTable
    let client: ClientConnectionInfo

    var clientAddress: AddressRange.Bits? { client.bits }
    var host: UnsafeRawBufferPointer { head.host.map(slice) ?? UnsafeRawBufferPointer(start: nil, count: 0) }
    /// An empty path in an absolute-form target means `/` (RFC 9112, section 3.2.2). A request for the server as a
    /// whole, `*`, also has an empty path (section 3.3) and is routed like `/`.
    var path: UnsafeRawBufferPointer { head.isAsterisk ? Self.text("/") : pathToSend }
    /// The path sent to a backend: `*` for an OPTIONS request for the server as a whole (RFC 9112, section 3.2.4).
    var pathToSend: UnsafeRawBufferPointer {
        head.path.isEmpty ? Self.text(head.isAsterisk ? "*" : "/") : slice(head.path)
    }
    var query: UnsafeRawBufferPointer? { head.query.map(slice) }
    var method: UnsafeRawBufferPointer { slice(head.methodRange) }

    func hasField(
        named lowercasedName: UnsafeRawBufferPointer, where isWanted: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        let known = FieldName(spelledBy: lowercasedName)
        guard known.isForwarding, !isTold(known), !isPassedOn(known) else {
            return hasSentField(named: lowercasedName, where: isWanted)
        }
        return withOurs(known) { $0.map(isWanted) ?? false }
    }

    private func hasSentField(
        named lowercasedName: UnsafeRawBufferPointer, where isWanted: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var index = fields.firstIndex(named: lowercasedName, in: bytes)
        while let found = index {
            if isWanted(slice(fields[found].valueRange)) { return true }
            index = fields.firstIndex(named: lowercasedName, in: bytes, from: found + 1)
        }
        return false
    }

    private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[range]) }

    private static func text(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
