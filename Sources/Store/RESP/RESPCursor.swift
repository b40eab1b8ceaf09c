import Affinity

/// Writes parts of commands one after the other into a buffer that the caller made large enough.
struct RESPCursor {
    private let space: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ space: UnsafeMutableRawBufferPointer) { self.space = space }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends a key: the common start of all keys, then the fingerprint. Returns where it is.
    @discardableResult
    mutating func append(_ keyStart: [UInt8], _ fingerprint: Fingerprint) -> Range<Int> {
        let start = count
        append(keyStart)
        fingerprint.writeText(to: UnsafeMutableRawBufferPointer(rebasing: space[count...]))
        count += Fingerprint.textLength
        append("\r\n")
        return start..<count
    }

    /// Appends what was appended there once more.
    mutating func append(again range: Range<Int>) {
        append(UnsafeRawBufferPointer(rebasing: space[range]))
    }

    /// Appends a bulk string of decimal digits. With a suffix, a colon and the digits of the suffix follow.
    mutating func append(bulk number: UInt64, suffix: UInt32? = nil) {
        withUnsafeTemporaryAllocation(byteCount: 31, alignment: 1) { digits in
            var first = digits.count
            if let suffix {
                Self.put(UInt64(suffix), in: digits, before: &first)
                first -= 1
                digits[first] = UInt8(ascii: ":")
            }
            Self.put(number, in: digits, before: &first)
            let length = digits.count - first
            append("$")
            if length >= 10 { append(byte: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: length / 10)) }
            append(byte: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: length % 10))
            append("\r\n")
            append(UnsafeRawBufferPointer(rebasing: digits[first...]))
            append("\r\n")
        }
    }

    private static func put(_ number: UInt64, in digits: UnsafeMutableRawBufferPointer, before first: inout Int) {
        var rest = number
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
    }

    private mutating func append(byte: UInt8) {
        space[count] = byte
        count += 1
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= space.count - count, "too little room for a command")
        guard let from = bytes.baseAddress, let to = space.baseAddress else { return }
        (to + count).copyMemory(from: from, byteCount: bytes.count)
        count += bytes.count
    }
}
