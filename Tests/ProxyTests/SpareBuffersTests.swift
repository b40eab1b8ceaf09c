import NIOCore
import Testing

@testable import Proxy

@Suite("Buffers for heads")
struct SpareBuffersTests {
    private static func storage(of buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withVeryUnsafeBytes { $0.baseAddress }
    }

    @Test("are empty, with room for a head, and are used again")
    func reuse() {
        var spares = SpareBuffers()
        var buffer = spares.take()
        #expect(buffer.readableBytes == 0 && buffer.writableBytes >= 1024)
        buffer.writeString("a head")
        let storage = Self.storage(of: buffer)
        spares.giveBack(buffer)
        buffer = ByteBuffer()
        let next = spares.take()
        #expect(next.readableBytes == 0 && Self.storage(of: next) == storage)
    }

    @Test("that are still being written to a socket are not written over")
    func stillHeld() {
        var spares = SpareBuffers()
        var buffer = spares.take()
        buffer.writeString("on its way")
        let pending = buffer
        spares.giveBack(buffer)
        var next = spares.take()
        next.writeString("another")
        #expect(String(buffer: pending) == "on its way" && String(buffer: next) == "another")
    }

    @Test("that have grown large are let go, those that have grown a little are kept", arguments: [8192, 8193, 0])
    func large(_ capacity: Int) {
        var spares = SpareBuffers()
        var buffer = capacity == 0 ? ByteBuffer() : ByteBufferAllocator().buffer(capacity: capacity)
        let isKept = capacity == 8192
        spares.giveBack(buffer)
        buffer = ByteBuffer()
        let next = spares.take()
        // Not the storage itself: what was let go may be allocated again.
        #expect(next.capacity == (isKept ? 8192 : 1024))
    }

    @Test("are kept up to sixty-four")
    func bounded() {
        var spares = SpareBuffers()
        let buffers = (0..<100).map { _ in ByteBufferAllocator().buffer(capacity: 2048) }
        for buffer in buffers { spares.giveBack(buffer) }
        let known = Set(buffers.compactMap(Self.storage))
        // They are still held here, so that none is lent with its own storage: what counts is the capacity.
        let lent = (0..<100).map { _ in spares.take() }
        #expect(known.count == 100)
        #expect(lent.filter { $0.capacity == 2048 }.count == 64)
        #expect(lent.allSatisfy { $0.readableBytes == 0 })
    }
}
