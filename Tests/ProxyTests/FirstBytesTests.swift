import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("The first bytes of a connection")
struct FirstBytesTests {
    @Test(
        "tell TLS, plain HTTP and SSLv2 apart",
        arguments: [
            ([], .unknown), ([0x16], .unknown), ([0x16, 3], .tls), ([0x16, 3, 1, 2, 0], .tls), ([0x16, 2], .plain),
            (Array("G".utf8), .plain), (Array("GET / HTTP/1.1".utf8), .plain), ([0], .plain),
            ([0x80], .unknown), ([0x80, 0x2E], .unknown), ([0x80, 0x2E, 1, 0, 2], .sslv2), ([0x80, 0x2E, 7], .plain),
            ([0xC3, 0xA4, 0x20], .plain),
        ] as [([UInt8], FirstBytes)])
    func kinds(_ bytes: [UInt8], _ kind: FirstBytes) { #expect(FirstBytes(bytes) == kind) }
}

@Suite("A ClientHello")
struct ClientHelloTests {
    private static func read(_ bytes: [UInt8]) -> ClientHello { .read(ByteBuffer(bytes: bytes).readableBytesView) }

    @Test(
        "names a host, in lowercase and without the final dot; an address is no name",
        arguments: [
            ("shop.example", "shop.example"), ("Shop.EXAMPLE.", "shop.example"), ("a_b.example", "a_b.example"),
            ("192.0.2.1", nil), ("a..example", nil), ("a b.example", nil), ("", nil), ("ü.example", nil),
        ] as [(String, String?)])
    func name(_ sent: String, _ name: String?) {
        let message = ClientHelloBytes.message(extensions: ClientHelloBytes.serverName(sent))
        #expect(Self.read(ClientHelloBytes.records(message)) == .complete(serverName: name))
    }

    @Test("without extensions, or with others alone, names nobody")
    func nobody() {
        #expect(
            Self.read(ClientHelloBytes.records(ClientHelloBytes.message(extensions: nil))) == .complete(serverName: nil)
        )
        #expect(
            Self.read(ClientHelloBytes.records(ClientHelloBytes.message(extensions: [0, 5, 0, 1, 1])))
                == .complete(serverName: nil))
    }

    @Test("may come in pieces and in many records, and says how many bytes it needs at least")
    func pieces() {
        let bytes = ClientHelloBytes.records(
            ClientHelloBytes.message(extensions: ClientHelloBytes.serverName("shop.example"), padding: 100), each: 40)
        for count in 0..<bytes.count {
            guard case .incomplete(let needed) = Self.read(Array(bytes[..<count])) else {
                Issue.record("\(count) of \(bytes.count) bytes are not incomplete")
                return
            }
            #expect(needed > count && needed <= bytes.count)
        }
        #expect(Self.read(bytes + [1, 2, 3]) == .complete(serverName: "shop.example"))
    }

    @Test("of up to 16 KiB is read; a longer one, and one of more than 64 records, is refused at once")
    func limits() {
        let name = ClientHelloBytes.serverName("shop.example")
        let large = ClientHelloBytes.records(ClientHelloBytes.message(extensions: name, padding: 16_200))
        #expect(Self.read(large) == .complete(serverName: "shop.example"))
        var claim: [UInt8] = [0x16, 3, 1, 0x40, 0, 1, 1, 0, 1]
        claim += [UInt8](repeating: 0, count: 16 << 10)
        #expect(Self.read(claim) == .malformed("longer than 16384 bytes"))
        let dripped = ClientHelloBytes.records(ClientHelloBytes.message(extensions: name, padding: 200), each: 1)
        #expect(Self.read(dripped) == .malformed("more than 64 records"))
    }

    @Test("that is malformed is refused")
    func malformed() {
        let good = ClientHelloBytes.message(extensions: ClientHelloBytes.serverName("shop.example"))
        var bytes = ClientHelloBytes.records(good)
        bytes[5] = 2
        #expect(Self.read(bytes) == .malformed("not a ClientHello"))
        #expect(Self.read([0x16, 3, 1, 0, 0]) == .malformed("a record's length"))
        #expect(Self.read([0x16, 3, 1, 0x7F, 0xFF]) == .malformed("a record's length"))
        #expect(Self.read([0x17, 3, 3, 0, 1, 0]) == .malformed("not a handshake"))
        // Whatever length inside is wrong, the answer is one of the three, and never a trap.
        for place in good.indices {
            for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
                var changed = good
                changed[place] = value
                _ = Self.read(ClientHelloBytes.records(changed))
            }
        }
        let twice = ClientHelloBytes.serverName("a.example", kind: 1)
        #expect(
            Self.read(ClientHelloBytes.records(ClientHelloBytes.message(extensions: twice)))
                == .malformed("the server name"))
    }
}
