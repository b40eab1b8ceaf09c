/// Case-insensitive comparison of names. The bytes must be of a grammar (token, authority) in which setting bit 5 makes
/// no two different bytes equal, except the two cases of a letter.
enum CaseInsensitive {
    /// Whether the `count` bytes at `bytes`, lowercased, equal those at `lowercase`.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawPointer, toLowercase lowercase: UnsafeRawPointer, count: Int) -> Bool {
        guard count >= 8 else { return equalBytes(bytes, lowercase, count) }
        var index = 0
        while index &+ 8 < count {
            guard equalWords(bytes, lowercase, at: index) else { return false }
            index &+= 8
        }
        // The last word overlaps the one before.
        return equalWords(bytes, lowercase, at: count &- 8)
    }

    @inline(__always)
    private static func equalWords(_ bytes: UnsafeRawPointer, _ lowercase: UnsafeRawPointer, at index: Int) -> Bool {
        ByteLanes.load(bytes, index) | 0x2020_2020_2020_2020 == ByteLanes.load(lowercase, index)
    }

    @inline(__always)
    private static func equalBytes(_ bytes: UnsafeRawPointer, _ lowercase: UnsafeRawPointer, _ count: Int) -> Bool {
        var index = 0
        while index < count {
            let byte = bytes.load(fromByteOffset: index, as: UInt8.self) | 0x20
            guard byte == lowercase.load(fromByteOffset: index, as: UInt8.self) else { return false }
            index &+= 1
        }
        return true
    }

    /// Whether two ranges are equal apart from the case of letters.
    static func equal(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        let count = one.count
        guard count == other.count, let first = one.baseAddress, let second = other.baseAddress else {
            return one.count == other.count
        }
        guard count >= 8 else {
            for index in 0..<count where lowered(one[index]) != lowered(other[index]) { return false }
            return true
        }
        var index = 0
        while true {
            guard lowered(ByteLanes.load(first, index)) == lowered(ByteLanes.load(second, index)) else { return false }
            if index == count &- 8 { return true }
            // The last word overlaps the one before.
            index = min(index &+ 8, count &- 8)
        }
    }

    /// Whether `bytes`, which hold no control character, equal `word` in any mixture of cases. The word has letters,
    /// digits and hyphens alone, its letters in lower case.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard bytes.count == word.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
        return equal(base, toLowercase: UnsafeRawPointer(word.utf8Start), count: bytes.count)
    }

    @inline(__always)
    private static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// Eight bytes with every letter in lower case. No sum of seven bits overflows its byte.
    @inline(__always)
    private static func lowered(_ word: UInt64) -> UInt64 {
        let (top, ones): (UInt64, UInt64) = (0x8080_8080_8080_8080, 0x0101_0101_0101_0101)
        let ascii = word & ~top
        let fromA = ascii &+ ones &* (0x80 - 0x41)
        let beyondZ = ascii &+ ones &* (0x80 - 0x5B)
        return word | (fromA & ~beyondZ & ~word & top) &>> 2
    }
}
