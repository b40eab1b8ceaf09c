import Routing
import Testing

@testable import Proxy

@Suite("Unfinished handshakes of one source")
struct HandshakeLimitTests {
    @Test("are bounded, each source by itself, and leave nothing behind")
    func bounds() {
        let limit = HandshakeLimit()
        #expect((0..<3).map { _ in limit.begin([1], limit: 2) } == [true, true, false])
        #expect(limit.begin([2], limit: 2) && limit.sourceCount == 2)
        limit.end([1])
        #expect(limit.begin([1], limit: 2))
        for source in [[1], [1], [2]] as [[UInt8]] { limit.end(source) }
        #expect(limit.sourceCount == 0)
        limit.end([1])
        #expect(limit.sourceCount == 0)
    }

    @Test("are counted by address, and by 64 bits of an IPv6 address")
    func sources() throws {
        func source(_ text: String) throws -> [UInt8] { try #require(AddressRange.Bits(text)).handshakeSource }
        try #expect(source("192.0.2.1") != source("192.0.2.2"))
        try #expect(source("2001:db8::1") == source("2001:db8::ffff"))
        try #expect(source("2001:db8::1") != source("2001:db8:0:1::1"))
    }
}
