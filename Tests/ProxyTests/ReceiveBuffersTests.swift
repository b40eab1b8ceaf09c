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
}
