import NIOCore

/// Buffers for rendered heads, reused instead of reallocated. Confined to one event loop.
struct SpareBuffers {
    private static let capacity = 1024
    /// A larger head is rare; its buffer is released instead of kept.
    private static let keptCapacity = 8 * 1024
    private static let count = 64

    private let allocator = ByteBufferAllocator()
    private var spares: [ByteBuffer] = []

    init() {
        spares.reserveCapacity(Self.count)
    }

    mutating func take() -> ByteBuffer {
        guard var buffer = spares.popLast() else { return allocator.buffer(capacity: Self.capacity) }
        // Reuses the storage if the write that referenced it has finished, otherwise allocates.
        buffer.clear()
        return buffer
    }

    mutating func giveBack(_ buffer: consuming ByteBuffer) {
        guard buffer.capacity > 0, buffer.capacity <= Self.keptCapacity, spares.count < Self.count else { return }
        spares.append(buffer)
    }
}
