/// The keyed 128-bit hash of (service, source, session key): the only form in which a key is stored, compared or
/// logged.
package struct Fingerprint: Hashable, Sendable {
    package static let textLength = 22

    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Calls `body` with the 22 characters of unpadded base64url (RFC 4648, section 5) that name this fingerprint in
    /// the store, most significant bits first. Allocates nothing.
    package func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeTemporaryAllocation(byteCount: Self.textLength, alignment: 1) { text in
            for index in 0..<Self.textLength {
                text[index] = Self.letter(sextet(index))
            }
            return body(UnsafeRawBufferPointer(text))
        }
    }

    /// The text as a `String`, for people and for tests.
    package var text: String { withText { String(decoding: $0, as: UTF8.self) } }

    /// The 22nd sextet has only two bits of the fingerprint, in its upper end.
    private func sextet(_ index: Int) -> UInt8 {
        let shift = 128 - 6 * (index + 1)
        let bits: UInt64
        if shift >= 64 {
            bits = high >> (shift - 64)
        } else if shift >= 0 {
            bits = low >> shift | (shift > 58 ? high << (64 - shift) : 0)
        } else {
            bits = low << -shift
        }
        return UInt8(truncatingIfNeeded: bits & 0x3F)
    }

    private static func letter(_ sextet: UInt8) -> UInt8 {
        switch sextet {
        case 0..<26: sextet + UInt8(ascii: "A")
        case 26..<52: sextet - 26 + UInt8(ascii: "a")
        case 52..<62: sextet - 52 + UInt8(ascii: "0")
        case 62: UInt8(ascii: "-")
        default: UInt8(ascii: "_")
        }
    }
}
