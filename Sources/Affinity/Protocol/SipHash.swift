/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein), absorbing whole words first and bytes last.
///
/// A value type: a copy keeps the state after a common prefix.
struct SipHash: Sendable {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var absorbed = 0

    init(_ key: FingerprintKey) {
        v0 = key.k0 ^ 0x736f_6d65_7073_6575
        v1 = key.k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
        v2 = key.k0 ^ 0x6c79_6765_6e65_7261
        v3 = key.k1 ^ 0x7465_6462_7974_6573
    }

    mutating func absorb(_ word: UInt64) {
        compress(word)
        absorbed &+= 8
    }

    /// Absorbs the length of `text` in bytes of UTF-8, then the bytes, padded with zeros to whole words. No other
    /// sequence of such calls absorbs the same words.
    mutating func absorb(prefixed text: some Collection<UInt8>) {
        absorb(UInt64(text.count))
        var word: UInt64 = 0
        var shift: UInt64 = 0
        for byte in text {
            word |= UInt64(byte) << shift
            shift += 8
            if shift == 64 {
                absorb(word)
                (word, shift) = (0, 0)
            }
        }
        if shift > 0 { absorb(word) }
    }

    /// The hash of everything absorbed so far, followed by `bytes`; the 16 bytes of output as two little-endian words.
    func finish(_ bytes: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)) -> (UInt64, UInt64) {
        var state = self
        let whole = bytes.count & ~7
        var offset = 0
        while offset < whole {
            state.compress(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var last = UInt64(truncatingIfNeeded: absorbed &+ bytes.count) << 56
        for index in whole..<bytes.count {
            last |= UInt64(bytes[index]) << UInt64(8 * (index - whole))
        }
        state.compress(last)
        return state.output()
    }

    private mutating func output() -> (UInt64, UInt64) {
        v2 ^= 0xee
        for _ in 0..<4 { round() }
        let first = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<4 { round() }
        return (first, v0 ^ v1 ^ v2 ^ v3)
    }

    @inline(__always)
    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v1 = v1 &<< 13 | v1 &>> 51
        v1 ^= v0
        v0 = v0 &<< 32 | v0 &>> 32
        v2 &+= v3
        v3 = v3 &<< 16 | v3 &>> 48
        v3 ^= v2
        v0 &+= v3
        v3 = v3 &<< 21 | v3 &>> 43
        v3 ^= v0
        v2 &+= v1
        v1 = v1 &<< 17 | v1 &>> 47
        v1 ^= v2
        v2 = v2 &<< 32 | v2 &>> 32
    }
}
