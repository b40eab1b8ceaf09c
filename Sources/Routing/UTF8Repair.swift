/// Converts any bytes to UTF-8 as Go's regular expressions see them: each byte that belongs to no character becomes
/// U+FFFD.
enum UTF8Repair {
    /// The maximum number of bytes that one byte can become.
    static let growth = 3

    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while position < bytes.count {
            let length = characterLength(bytes, at: position)
            if length == 0 { return false }
            position += length
        }
        return true
    }

    /// - Parameter storage: has room for `growth` times the bytes.
    static func repair(
        _ bytes: UnsafeRawBufferPointer, in storage: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        var position = 0
        var end = 0
        while position < bytes.count {
            let length = characterLength(bytes, at: position)
            if length == 0 {
                (storage[end], storage[end + 1], storage[end + 2]) = (0xEF, 0xBF, 0xBD)
                end += 3
                position += 1
            } else {
                for index in 0..<length { storage[end + index] = bytes[position + index] }
                end += length
                position += length
            }
        }
        return UnsafeRawBufferPointer(rebasing: storage[..<end])
    }

    /// The length of the well-formed character that begins here (RFC 3629, section 4), or 0 if there is none.
    private static func characterLength(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int {
        let first = bytes[start]
        if first < 0x80 { return 1 }
        let second: ClosedRange<UInt8>
        let length: Int
        switch first {
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard start + length <= bytes.count, second.contains(bytes[start + 1]) else { return 0 }
        for index in (start + 2)..<max(start + length, start + 2) where bytes[index] & 0xC0 != 0x80 { return 0 }
        return length
    }
}
