/// A request's method. Names are case-sensitive (RFC 9110 §9.1): `get` is `.other`.
package enum Method: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, patch, options, trace, connect
    /// Any other token of at most 32 bytes; its bytes are at `RequestHead.methodRange`.
    case other

    /// Whether the method is safe: the client requests no change of state (RFC 9110 §9.2.1). An unknown method is
    /// assumed to be unsafe.
    package var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        case .post, .put, .delete, .patch, .connect, .other: false
        }
    }

    /// Whether `bytes`, the front of a refused or incomplete request head, appear to begin a HEAD request. A response
    /// to HEAD has no body.
    package static func isHead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let word: StaticString = "HEAD "
        let skipped = bytes.starts(with: [.carriageReturn, .lineFeed]) ? 2 : 0
        return bytes.dropFirst(skipped).starts(
            with: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    /// The method whose name, as a big-endian number, is `key`. `.other` for names longer than eight bytes.
    init(key: UInt64, length: Int) {
        switch key {
        case 0x47_4554 where length == 3: self = .get
        case 0x48_4541_44 where length == 4: self = .head
        case 0x50_4F53_54 where length == 4: self = .post
        case 0x50_5554 where length == 3: self = .put
        case 0x44_454C_4554_45 where length == 6: self = .delete
        case 0x50_4154_4348 where length == 5: self = .patch
        case 0x4F_5054_494F_4E53 where length == 7: self = .options
        case 0x54_5241_4345 where length == 5: self = .trace
        case 0x43_4F4E_4E45_4354 where length == 7: self = .connect
        default: self = .other
        }
    }
}
