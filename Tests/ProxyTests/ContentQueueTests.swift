import NIOCore
import Testing

@testable import Proxy

@Suite("Content that waits to be sent")
struct ContentQueueTests {
    @Test("leaves in the order in which it came, whatever the pieces", arguments: [1, 100, 16_384, 16_385, 50_000])
    func order(piece: Int) {
        var queue = ContentQueue()
        var sent: [UInt8] = []
        var received = ByteBuffer()
        for number in 0..<9 {
            let bytes = [UInt8](repeating: UInt8(number), count: piece)
            sent += bytes
            queue.append(ByteBuffer(bytes: bytes))
            queue.move(atMost: piece / 2 + 1, to: &received)
        }
        queue.move(atMost: .max, to: &received)
        #expect(queue.count == 0 && Array(received.readableBytesView) == sent)
    }

    @Test("holds little more storage than content, however long it never runs empty")
    func storage() {
        var queue = ContentQueue()
        let piece = ByteBuffer(repeating: 1, count: 1000)
        for _ in 0..<60 { queue.append(piece) }
        for _ in 0..<10_000 {
            queue.append(piece)
            var taken = ByteBuffer()
            queue.move(atMost: 1000, to: &taken)
        }
        #expect(queue.count == 60_000)
        #expect(queue.storedBytes < 4 * queue.count)
    }
}
