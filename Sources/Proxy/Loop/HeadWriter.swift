import NIOCore

/// Writes a message head piece by piece into memory that was reserved for the entire head. A `ByteBuffer` would check
/// its uniqueness and its capacity for each of the dozen pieces of a head.
struct HeadWriter {
    private let target: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    private init(_ target: UnsafeMutableRawBufferPointer) {
        self.target = target
    }

    /// Appends what `body` writes, which must be at most `bound` bytes.
    static func write(into buffer: inout ByteBuffer, atMost bound: Int, _ body: (inout HeadWriter) -> Void) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { target in
            var writer = HeadWriter(target)
            body(&writer)
            return writer.count
        }
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= target.count - count, let from = bytes.baseAddress, let to = target.baseAddress else {
            assert(bytes.isEmpty, "the bound of a head was too low")
            return
        }
        (to + count).copyMemory(from: from, byteCount: bytes.count)
        count += bytes.count
    }

    mutating func write(_ range: Range<Int>, of source: UnsafeRawBufferPointer) {
        write(UnsafeRawBufferPointer(rebasing: source[range]))
    }

    mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { write($0) }
    }

    mutating func write(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { write($0) }
    }

    mutating func write(text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }
}
