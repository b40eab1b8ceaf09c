/// The elements of a comma-separated field value (RFC 9110 §5.6.1), without the white space around them. Empty elements
/// are skipped. Does not support quoted strings: it is for lists of tokens.
package struct ListElements {
    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private var index: Int

    /// `range` must lie within `bytes`.
    package init(of range: Range<Int>, in bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        end = range.upperBound
        index = range.lowerBound
    }

    /// The range of the next element, or nil at the end.
    package mutating func next() -> Range<Int>? {
        while index < end {
            while index < end, bytes[index].isBlank || bytes[index] == UInt8(ascii: ",") { index &+= 1 }
            let start = index
            while index < end, bytes[index] != UInt8(ascii: ",") { index &+= 1 }
            var last = index
            while last > start, bytes[last &- 1].isBlank { last &-= 1 }
            if last > start { return start..<last }
        }
        return nil
    }
}
