/// Searches that examine eight bytes in one machine word.
///
/// A *stop mask* has the top bit of a lane set if the byte ends the search. `below` and `equal` may also set lanes
/// above a true stop (a borrow propagates upwards), so only the lowest set lane is meaningful, and no other is used.
enum ByteLanes {
    @inline(__always) private static var top: UInt64 { 0x8080_8080_8080_8080 }
    @inline(__always) private static var ones: UInt64 { 0x0101_0101_0101_0101 }

    /// Loads eight bytes, the first in the lowest lane regardless of the machine's byte order.
    @inline(__always)
    static func load(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The first offset in `from ..< end` that holds a control character other than HTAB, or DEL; otherwise `end`.
    @inline(__always)
    static func endOfText(_ base: UnsafeRawPointer, from: Int, to end: Int) -> Int {
        var index = from
        while index < end {
            if end &- index >= 8 {
                let word = load(base, index)
                let stops = below(word, 0x20) | equal(word, 0x7F)
                if stops == 0 {
                    index &+= 8
                    continue
                }
                index &+= stops.trailingZeroBitCount &>> 3
            }
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            if (byte < 0x20 && byte != 0x09) || byte == 0x7F { return index }
            index &+= 1
        }
        return end
    }

    /// The first offset in `from ..< end` that cannot be part of a request target: white space, a control character,
    /// DEL, a non-ASCII byte, or `#`; otherwise `end`.
    @inline(__always)
    static func endOfTarget(_ base: UnsafeRawPointer, from: Int, to end: Int) -> Int {
        var index = from
        while end &- index >= 8 {
            let word = load(base, index)
            let stops = below(word, 0x21) | equal(word, 0x7F) | equal(word, UInt8(ascii: "#")) | (word & top)
            if stops != 0 { return index &+ stops.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < end {
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            if byte < 0x21 || byte > 0x7E || byte == UInt8(ascii: "#") { return index }
            index &+= 1
        }
        return end
    }

    /// The first offset in `from ..< end` that does not hold a token character (RFC 9110 §5.6.2); otherwise `end`.
    ///
    /// `oddDelimiters` becomes true if the bytes before it contain an underscore or two consecutive hyphens. It may
    /// also become true because of bytes after it in the same word.
    @inline(__always)
    static func endOfToken(
        _ base: UnsafeRawPointer, from: Int, to end: Int, oddDelimiters: inout Bool
    ) -> Int {
        var index = from
        var hyphenBefore: UInt64 = 0
        while index < end {
            if end &- index >= 8 {
                let word = load(base, index)
                let hyphens = hyphen(word)
                let stops = ~(alphanumeric(word) | hyphens) & top
                if hyphens & (hyphens &<< 8 | hyphenBefore) != 0 { oddDelimiters = true }
                if stops == 0 {
                    hyphenBefore = hyphens &>> 56
                    index &+= 8
                    continue
                }
                index &+= stops.trailingZeroBitCount &>> 3
            }
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            if !byte.isToken { return index }
            if byte == UInt8(ascii: "_") { oddDelimiters = true }
            let isHyphen = byte == UInt8(ascii: "-")
            if isHyphen, index > from, base.load(fromByteOffset: index &- 1, as: UInt8.self) == byte {
                oddDelimiters = true
            }
            hyphenBefore = isHyphen ? 0x80 : 0
            index &+= 1
        }
        return end
    }

    /// The first offset in `from ..< end` that holds `byte`; otherwise `end`.
    @inline(__always)
    static func first(_ byte: UInt8, in base: UnsafeRawPointer, from: Int, to end: Int) -> Int {
        var index = from
        while end &- index >= 8 {
            let stops = equal(load(base, index), byte)
            if stops != 0 { return index &+ stops.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < end {
            if base.load(fromByteOffset: index, as: UInt8.self) == byte { return index }
            index &+= 1
        }
        return end
    }

    @inline(__always)
    private static func below(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        (word &- ones &* UInt64(byte)) & ~word & top
    }

    @inline(__always)
    private static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & top
    }

    /// The top bit of every lane that holds a letter or a digit. Exact in every lane, because no sum overflows its
    /// lane.
    @inline(__always)
    private static func alphanumeric(_ word: UInt64) -> UInt64 {
        let ascii = word & ~top
        let lowered = ascii | (ones &* 0x20)
        let letter = (lowered &+ ones &* (0x80 - 0x61)) & ~(lowered &+ ones &* (0x7F - 0x7A))
        let digit = (ascii &+ ones &* (0x80 - 0x30)) & ~(ascii &+ ones &* (0x7F - 0x39))
        return (letter | digit) & ~word & top
    }

    /// The top bit of every lane that holds a hyphen. Exact in every lane, for the same reason.
    @inline(__always)
    private static func hyphen(_ word: UInt64) -> UInt64 {
        let ascii = word & ~top
        return ~((ascii ^ (ones &* 0x2D)) &+ ones &* 0x7F) & ~word & top
    }
}
