import NIOCore

/// What is passed on of a piece of a body, as one buffer: a slice of the piece while that is one range of it, else a
/// copy of the ranges. A write for each of many small ranges would cost more than the copy.
struct JoinedRuns {
    private let piece: ByteBuffer
    private var only: Range<Int>?
    private var copy: ByteBuffer?

    init(of piece: ByteBuffer) {
        self.piece = piece
    }

    /// Adds a range that counts from the piece's first readable byte, and is behind those before.
    mutating func add(_ range: Range<Int>) {
        if copy == nil {
            guard let first = only else {
                only = range
                return
            }
            copy = ByteBufferAllocator().buffer(capacity: piece.readableBytes - first.lowerBound)
            append(first)
        }
        append(range)
    }

    /// Nil where nothing was added.
    var buffer: ByteBuffer? { copy ?? only.flatMap(slice) }

    private mutating func append(_ range: Range<Int>) {
        if let slice = slice(range) { copy?.writeImmutableBuffer(slice) }
    }

    private func slice(_ range: Range<Int>) -> ByteBuffer? {
        piece.getSlice(at: piece.readerIndex + range.lowerBound, length: range.count)
    }
}
