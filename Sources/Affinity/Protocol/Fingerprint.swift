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

    /// It is a hash with a key already.
    package func hash(into hasher: inout Hasher) { hasher.combine(low) }

    /// Writes the 22 characters of unpadded base64url (RFC 4648, section 5) that name this fingerprint in the store,
    /// most significant bits first. The target must have room for them.
    package func writeText(to target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= Self.textLength, "too little room for a fingerprint's text")
        var bits = high
        for index in 0..<10 {
            target[index] = Base64URLAlphabet.letter(UInt8(truncatingIfNeeded: bits &>> 58))
            bits &<<= 6
        }
        // Four bits are left; the letter takes two more.
        target[10] = Base64URLAlphabet.letter(UInt8(truncatingIfNeeded: bits &>> 58 | low &>> 62))
        bits = low &<< 2
        // The last letter holds only two bits of the fingerprint, its upper two.
        for index in 11..<Self.textLength {
            target[index] = Base64URLAlphabet.letter(UInt8(truncatingIfNeeded: bits &>> 58))
            bits &<<= 6
        }
    }

    /// The text as a `String`, for people and for tests.
    package var text: String {
        String(unsafeUninitializedCapacity: Self.textLength) { target in
            writeText(to: UnsafeMutableRawBufferPointer(target))
            return Self.textLength
        }
    }

    /// Parses exactly what `writeText` writes: 22 characters, the last of which has its lower four bits clear.
    package init?(text: UnsafeRawBufferPointer) {
        guard text.count == Self.textLength else { return nil }
        var bits: UInt128 = 0
        for index in 0..<Self.textLength - 1 {
            guard let sextet = Base64URLAlphabet.sextet(text[index]) else { return nil }
            bits = bits &<< 6 | UInt128(sextet)
        }
        guard let last = Base64URLAlphabet.sextet(text[Self.textLength - 1]), last & 0xF == 0 else { return nil }
        bits = bits &<< 2 | UInt128(last &>> 4)
        self.init(high: UInt64(truncatingIfNeeded: bits &>> 64), low: UInt64(truncatingIfNeeded: bits))
    }
}

/// The fleet's 128-bit hashing key, derived from the fleet secret. It fixes fingerprints and the order of placement, so
/// it is the same on every replica. It never appears in a log: its description hides it.
package struct FingerprintKey: Sendable, CustomStringConvertible {
    let k0: UInt64
    let k1: UInt64

    package init(k0: UInt64, k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    package var description: String { "FingerprintKey(hidden)" }
}

/// Hashes the session keys of one service and source.
///
/// The kind of source and its configured name are part of the fingerprint: the value of a header never shares a session
/// with an equal value in the query or in another header. Service, name and session key are hashed with their lengths,
/// so that no two inputs collide by concatenation.
package struct FingerprintScope: Sendable {
    private let prefix: SipHash

    package init(key: FingerprintKey, service: String, source: SessionSource) {
        var hash = SipHash(key)
        hash.absorb(prefixed: service.utf8)
        hash.absorb(source.tag)
        hash.absorb(prefixed: source.hashedName)
        prefix = hash
    }

    /// The fingerprint of a session key. Allocates nothing.
    package func fingerprint(of sessionKey: UnsafeRawBufferPointer) -> Fingerprint {
        var hash = prefix
        hash.absorb(UInt64(sessionKey.count))
        let (high, low) = hash.finish(sessionKey)
        return Fingerprint(high: high, low: low)
    }
}
