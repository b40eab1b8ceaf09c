import CLimpetLanes

/// Searches that examine sixteen bytes at once.
enum ByteLanes {
    private static var width: Int { 16 }

    /// Loads eight bytes, the first in the lowest lane regardless of the machine's byte order.
    @inline(__always)
    static func load(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The first offset in `from ..< end` that holds a control character other than HTAB, or DEL; otherwise `end`.
    @inline(__always)
    static func endOfText(_ base: UnsafeRawPointer, from: Int, to end: Int) -> Int {
        search(base, from: from, to: end, stops: { limpet_controls($0) }, byByte: { !$0.isText })
    }

    /// The first offset in `from ..< end` that cannot be part of a request target: white space, a control character,
    /// DEL, a non-ASCII byte, or `#`; otherwise `end`.
    @inline(__always)
    static func endOfTarget(_ base: UnsafeRawPointer, from: Int, to end: Int) -> Int {
        search(base, from: from, to: end, stops: { limpet_non_targets($0) }) {
            $0 < 0x21 || $0 > 0x7E || $0 == UInt8(ascii: "#")
        }
    }

    /// The first offset in `from ..< end` that holds `byte`; otherwise `end`.
    @inline(__always)
    static func first(_ byte: UInt8, in base: UnsafeRawPointer, from: Int, to end: Int) -> Int {
        search(base, from: from, to: end, stops: { limpet_equal($0, byte) }, byByte: { $0 == byte })
    }

    /// The first offset in `from ..< end` that does not hold a token character (RFC 9110 §5.6.2); otherwise `end`.
    ///
    /// `oddDelimiters` becomes true if the bytes before it contain an underscore or two consecutive hyphens. It may
    /// also become true because of bytes after it.
    @inline(__always)
    static func endOfToken(
        _ base: UnsafeRawPointer, from: Int, to end: Int, oddDelimiters: inout Bool
    ) -> Int {
        guard end >= width else { return endOfShortToken(base, from: from, to: end, oddDelimiters: &oddDelimiters) }
        var index = from
        // 1 if the byte before is a hyphen.
        var hyphenBefore: UInt32 = 0
        while index < end {
            let start = min(index, end &- width)
            let skipped = UInt32(truncatingIfNeeded: index &- start)
            let hyphens = limpet_equal(base + start, UInt8(ascii: "-")) &>> skipped
            if hyphens & (hyphens &<< 1 | hyphenBefore) != 0 { oddDelimiters = true }
            // Few names have anything but letters, digits and hyphens.
            let stops = limpet_non_names(base + start) &>> skipped
            if stops == 0 {
                hyphenBefore = hyphens &>> 15
                index = start &+ width
                continue
            }
            index &+= stops.trailingZeroBitCount
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            if !byte.isToken { return index }
            if byte == UInt8(ascii: "_") { oddDelimiters = true }
            hyphenBefore = 0
            index &+= 1
        }
        return end
    }

    private static func endOfShortToken(
        _ base: UnsafeRawPointer, from: Int, to end: Int, oddDelimiters: inout Bool
    ) -> Int {
        var before: UInt8 = 0
        for index in from..<max(from, end) {
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            if !byte.isToken { return index }
            if byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") && before == byte { oddDelimiters = true }
            before = byte
        }
        return end
    }

    /// The first offset in `from ..< end` for whose byte `stops` sets a bit; otherwise `end`. The last bytes are
    /// examined together with bytes before them; only a buffer of fewer than sixteen is searched byte by byte.
    @inline(__always)
    private static func search(
        _ base: UnsafeRawPointer, from: Int, to end: Int, stops: (UnsafeRawPointer) -> UInt32,
        byByte isStop: (UInt8) -> Bool
    ) -> Int {
        var index = from
        while end &- index >= width {
            let found = stops(base + index)
            if found != 0 { return index &+ found.trailingZeroBitCount }
            index &+= width
        }
        guard index < end else { return end }
        if end >= width {
            let start = end &- width
            let found = stops(base + start) &>> UInt32(truncatingIfNeeded: index &- start)
            return found == 0 ? end : index &+ found.trailingZeroBitCount
        }
        while index < end, !isStop(base.load(fromByteOffset: index, as: UInt8.self)) { index &+= 1 }
        return index
    }
}
