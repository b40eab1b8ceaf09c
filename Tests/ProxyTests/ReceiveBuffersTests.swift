import NIOCore
import Testing

@testable import Proxy

@Suite("The receive buffer of an event loop")
struct ReceiveBuffersTests {
    @Test("the small buffer of a connection's first read does not become everybody's")
    func firstBuffer() {
        let buffers = ReceiveBuffers()
        buffers.giveBack(ByteBufferAllocator().buffer(capacity: 1024))
        #expect(buffers.take(ByteBufferAllocator()).capacity >= ReceiveBuffers.capacity)
    }

    @Test("one that is given back is lent again, empty, without a new allocation")
    func reuse() {
        let buffers = ReceiveBuffers()
        var buffer = buffers.take(ByteBufferAllocator())
        buffer.writeString("read")
        let storage = buffer.withVeryUnsafeBytes { $0.baseAddress }
        buffers.giveBack(buffer)
        buffer = ByteBuffer()
        let next = buffers.take(ByteBufferAllocator())
        #expect(next.readableBytes == 0)
        #expect(next.withVeryUnsafeBytes { $0.baseAddress } == storage)
    }

    @Test("bytes of it that somebody still holds are not read over")
    func held() {
        let buffers = ReceiveBuffers()
        var buffer = buffers.take(ByteBufferAllocator())
        buffer.writeString("kept for a slow peer")
        let kept = buffer.getSlice(at: 0, length: 4)
        buffers.giveBack(buffer)
        var next = buffers.take(ByteBufferAllocator())
        next.writeString("another read")
        #expect(kept.map { String(buffer: $0) } == "kept")
    }

    @Test("two reads at once, as of two connections, have a buffer each")
    func lent() {
        let buffers = ReceiveBuffers()
        var one = buffers.take(ByteBufferAllocator())
        var other = buffers.take(ByteBufferAllocator())
        one.writeString("one")
        other.writeString("other")
        #expect(String(buffer: one) == "one" && String(buffer: other) == "other")
    }

    @Test("a connection's first read has a small one of its own, all others the loop's")
    func allocator() {
        let buffers = ReceiveBuffers()
        var allocator = LoopReceiveAllocator(buffers)
        let first = allocator.buffer(allocator: ByteBufferAllocator())
        #expect(first.capacity < ReceiveBuffers.capacity)
        for count in [1, 65536] {
            let mayGrow = allocator.record(actualReadBytes: count)
            #expect(mayGrow, "else NIO would read into the first one again")
            #expect(allocator.buffer(allocator: ByteBufferAllocator()).capacity >= ReceiveBuffers.capacity)
        }
    }
}
