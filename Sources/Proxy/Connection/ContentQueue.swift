import NIOCore

/// Content that waits until it can be sent.
struct ContentQueue {
    /// Pieces up to this size are copied together, so that they do not keep the buffers alive in which they arrived.
    private static let copiedMax = 16 * 1024
    /// A copy takes no more than this: what was sent of it keeps its place in memory.
    private static let copySize = 2 * copiedMax

    private(set) var count = 0
    private var pieces: [ByteBuffer] = []
    /// The last piece is a copy, and has room for more.
    private var endsWithCopy = false

    /// Bytes of memory that the content takes.
    var storedBytes: Int { pieces.reduce(0) { $0 + $1.capacity } }

    mutating func append(_ content: ByteBuffer) {
        guard content.readableBytes > 0 else { return }
        count += content.readableBytes
        guard content.readableBytes <= Self.copiedMax else {
            endsWithCopy = false
            return pieces.append(content)
        }
        if endsWithCopy, pieces[pieces.count - 1].writerIndex + content.readableBytes <= Self.copySize {
            pieces[pieces.count - 1].writeImmutableBuffer(content)
        } else {
            var copy = ByteBufferAllocator().buffer(capacity: content.readableBytes)
            copy.writeImmutableBuffer(content)
            pieces.append(copy)
            endsWithCopy = true
        }
    }

    /// Moves the first bytes, as many as there are up to `limit`, to the end of the buffer.
    mutating func move(atMost limit: Int, to buffer: inout ByteBuffer) {
        var left = min(limit, count)
        count -= left
        var finished = 0
        while left > 0, finished < pieces.count {
            let length = min(left, pieces[finished].readableBytes)
            if let slice = pieces[finished].readSlice(length: length) { buffer.writeImmutableBuffer(slice) }
            left -= length
            if pieces[finished].readableBytes == 0 { finished += 1 }
        }
        pieces.removeFirst(finished)
        if pieces.isEmpty { endsWithCopy = false }
    }

    mutating func clear() { self = ContentQueue() }
}
