import NIOCore
import Testing

@testable import Proxy

@Suite("Ranges of one piece, as one buffer")
struct ContiguousContentTests {
    private static let digits = ByteBuffer(string: "0123456789")

    private static func joined(_ ranges: [Range<Int>], of piece: ByteBuffer = digits) -> ByteBuffer? {
        var runs = ContiguousContent(of: piece)
        for range in ranges { runs.add(range) }
        return runs.buffer
    }

    private static func address(of buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withUnsafeReadableBytes { $0.baseAddress }
    }

    @Test("are the bytes of all, in their order, for every way to pick three", arguments: [0, 3])
    func everyPick(skipped: Int) {
        var piece = ByteBuffer(string: String(repeating: "x", count: skipped) + "0123456789")
        piece.moveReaderIndex(forwardBy: skipped)
        let text = Array("0123456789")
        for first in 0..<4 {
            for second in 4..<7 {
                for third in 7..<10 {
                    let ranges = [first..<4, second..<second + 1, third..<10]
                    let expected = ranges.map { String(text[$0]) }.joined()
                    #expect(Self.joined(ranges, of: piece).map { String(buffer: $0) } == expected)
                }
            }
        }
    }

    @Test("are none where nothing was added, and one that is not copied is a part of the piece")
    func one() throws {
        #expect(Self.joined([]) == nil)
        let piece = Self.digits
        let part = try #require(Self.joined([2..<6], of: piece))
        #expect(String(buffer: part) == "2345")
        #expect(Self.address(of: part) == Self.address(of: piece).map { $0 + 2 })
        let copy = try #require(Self.joined([2..<3, 5..<6], of: piece))
        #expect(String(buffer: copy) == "25" && Self.address(of: copy) != Self.address(of: piece).map { $0 + 2 })
    }
}
