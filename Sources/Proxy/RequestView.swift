import HTTPWire
import Routing

/// A scanned head, as rules look at it.
struct RequestView: RoutableRequest {
    let head: RequestHead
    let bytes: UnsafeRawBufferPointer
    let fields: FieldTable
    let clientAddress: AddressRange.Bits?

    var host: UnsafeRawBufferPointer { head.host.map(slice) ?? UnsafeRawBufferPointer(start: nil, count: 0) }
    /// An empty path of an absolute-form target means `/` (RFC 9112, section 3.2.2).
    var path: UnsafeRawBufferPointer { head.path.isEmpty ? Self.root : slice(head.path) }
    var query: UnsafeRawBufferPointer? { head.query.map(slice) }
    var method: UnsafeRawBufferPointer { slice(head.methodRange) }

    func hasField(
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

    private static var root: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: ("/" as StaticString).utf8Start, count: 1)
    }
}
