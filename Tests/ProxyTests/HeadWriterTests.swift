import NIOCore
import Testing

@testable import Proxy

@Suite("Heads are written piece by piece")
struct HeadWriterTests {
    private static func write(
        behind start: String = "", atMost bound: Int, _ body: (inout HeadWriter) -> Void
    ) -> String {
        var buffer = ByteBufferAllocator().buffer(capacity: 0)
        buffer.writeString(start)
        HeadWriter.write(into: &buffer, atMost: bound, body)
        return String(buffer: buffer)
    }

    @Test("in their order, whatever they are made of, and up to the bound")
    func pieces() {
        let source = Array("0123456789".utf8)
        let text = Self.write(atMost: 14) { writer in
            writer.write("Field: ")
            source.withUnsafeBytes { writer.write(2..<5, of: $0) }
            writer.write(Array("ab".utf8))
            #expect(writer.count == 12)
            source.withUnsafeBytes { writer.write(UnsafeRawBufferPointer(rebasing: $0[8...])) }
            #expect(writer.count == 14)
        }
        #expect(text == "Field: 234ab89")
    }

    @Test("and empty pieces are none")
    func empty() {
        let text = Self.write(atMost: 1) { writer in
            writer.write([])
            writer.write("")
            writer.write(UnsafeRawBufferPointer(start: nil, count: 0))
            writer.write("x")
            [UInt8](repeating: 0, count: 3).withUnsafeBytes { writer.write(2..<2, of: $0) }
        }
        #expect(text == "x")
    }

    @Test("behind what is there, in a buffer that grows for them")
    func behind() {
        let long = [UInt8](repeating: UInt8(ascii: "l"), count: 5000)
        let text = Self.write(behind: "before ", atMost: long.count) { $0.write(long) }
        #expect(text == "before " + String(repeating: "l", count: 5000))
    }

    @Test("and what is not written of the bound is not part of the head")
    func shorter() {
        #expect(Self.write(atMost: 4096) { $0.write("short") } == "short")
        #expect(Self.write(behind: "a", atMost: 64) { _ in } == "a")
    }
}
