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
        guard one.count == other.count else { return false }
        for index in 0..<one.count where lowered(one[index]) != lowered(other[index]) { return false }
        return true
    }

    /// Whether `bytes` equal `word` in any mixture of cases.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        equal(bytes, UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    @inline(__always)
    private static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }
}
