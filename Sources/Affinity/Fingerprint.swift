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
                text[index] = Base64URLAlphabet.letter(sextet(index))
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

    /// Reads what `withText` writes, and nothing else: 22 characters, the last of which has four bits of nothing.
    package init?(text: Slice<UnsafeRawBufferPointer>) {
        guard text.count == Self.textLength else { return nil }
        var bits: UInt128 = 0
        for (index, letter) in text.enumerated() {
            guard let sextet = Base64URLAlphabet.sextet(letter) else { return nil }
            guard index == Self.textLength - 1 else {
                bits = bits << 6 | UInt128(sextet)
                continue
            }
            guard sextet & 0xF == 0 else { return nil }
            bits = bits << 2 | UInt128(sextet >> 4)
        }
        self.init(high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
    }
}
