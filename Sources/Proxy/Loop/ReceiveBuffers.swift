import NIOCore

/// One receive buffer for all connections of an event loop.
///
/// A connection that holds no bytes holds no buffer: NIO's own pool would keep one per connection, grown to the largest
/// read it ever made. The buffer is lent for one read and returned after the read has been processed. If its bytes are
/// still referenced then (a slow peer), the next read gets a new buffer.
///
/// Confined to its event loop.
final class ReceiveBuffers {
    /// Large enough that a large body takes few reads.
    static let capacity = 64 * 1024

    private var spare: ByteBuffer?

    func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard var buffer = spare.take() else { return allocator.buffer(capacity: Self.capacity) }
        // Reuses the storage if it is not referenced elsewhere, otherwise allocates.
        buffer.clear()
        return buffer
    }

    /// The small buffer of a connection's first read is not kept: all reads of the loop would become small.
    func giveBack(_ buffer: consuming ByteBuffer) {
        guard buffer.capacity >= Self.capacity else { return }
        spare = buffer
    }
}

/// Makes a channel read into its event loop's ``ReceiveBuffers``.
///
/// Unchecked: a channel asks its allocator only on its own loop, to which the buffers are confined. A loop-bound value
/// would check that at every read: 240 instructions a request.
struct LoopReceiveAllocator: RecvByteBufferAllocator, @unchecked Sendable {
    /// NIO keeps the first buffer that it gets for as long as the channel lives, so the first one is small: an idle
    /// connection costs this much more, a first head that is larger costs another read.
    private static let firstCapacity = 128

    private let buffers: ReceiveBuffers
    private var isFirst = true

    /// - Parameter buffers: those of the channel's loop.
    init(_ buffers: ReceiveBuffers) {
        self.buffers = buffers
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isFirst ? allocator.buffer(capacity: Self.firstCapacity) : buffers.take(allocator)
    }

    /// Always returns true ("may grow"): otherwise NIO would reuse the first buffer.
    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        return true
    }
}
