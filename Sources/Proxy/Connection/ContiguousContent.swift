import NIOCore

/// The forwarded ranges of a piece of a body, as one buffer: a slice of the piece while there is one range, otherwise a
/// copy of the ranges. Many small writes would cost more than the copy.
struct ContiguousContent {
    private let piece: ByteBuffer
    private var only: Range<Int>?
    private var copy: ByteBuffer?

    init(of piece: ByteBuffer) {
        self.piece = piece
    }

    /// Adds a range. Offsets count from the piece's first readable byte; ranges must be added in ascending order.
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

    /// Nil if nothing was added.
    var buffer: ByteBuffer? { copy ?? only.flatMap(slice) }

    private mutating func append(_ range: Range<Int>) {
        if let slice = slice(range) { copy?.writeImmutableBuffer(slice) }
    }

    private func slice(_ range: Range<Int>) -> ByteBuffer? {
        piece.getSlice(at: piece.readerIndex + range.lowerBound, length: range.count)
    }
}
