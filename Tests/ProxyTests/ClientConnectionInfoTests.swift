import HTTPWire
import NIOCore
import Routing
import Testing

@testable import Proxy

@Suite("Who is at the other end of a connection")
struct ClientConnectionInfoTests {
    private static func identity(_ address: SocketAddress?, trusted: [String] = []) throws -> ClientConnectionInfo {
        ClientConnectionInfo(
            remote: address,
            entryPoint: EntryPoint(name: "web", index: 0, trustedPeers: try trusted.map { try AddressRange($0) }),
            replicaName: "r1")
    }

    @Test(
        "is an address as text, that of IPv4 also where a socket of IPv6 took it",
        arguments: [
            ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"),
            ("::1", "::1"),
        ])
    func text(_ address: String, _ text: String) throws {
        let identity = try Self.identity(SocketAddress(ipAddress: address, port: 4711))
        #expect(identity.address == text && identity.port == 4711)
        #expect(identity.line(of: .xForwardedFor) == Array("X-Forwarded-For: \(text)\r\n".utf8)[...])
        #expect(identity.line(of: .xRealIP) == Array("X-Real-Ip: \(text)\r\n".utf8)[...])
        let names = [FieldName.xForwardedFor, .xRealIP, .xForwardedProto, .xForwardedServer]
        #expect(identity.lines == names.flatMap(identity.line))
        let values = names.map { identity.withValue(of: $0) { $0.map { String(decoding: $0, as: UTF8.self) } } }
        #expect(values == [text, text, "http", "r1"])
    }

    @Test(
        "is believed where its address is in a trusted range",
        arguments: [
            ("192.0.2.7", ["192.0.2.0/24"], true), ("192.0.3.7", ["192.0.2.0/24"], false), ("192.0.2.7", [], false),
            ("::ffff:192.0.2.7", ["192.0.2.7"], true), ("2001:db8::1", ["10.0.0.0/8", "2001:db8::/32"], true),
            ("2001:db9::1", ["2001:db8::/32"], false), ("127.0.0.1", ["::/0"], false),
            ("127.0.0.1", ["0.0.0.0/0"], true),
        ])
    func trust(_ address: String, _ ranges: [String], _ isTrusted: Bool) throws {
        let identity = try Self.identity(SocketAddress(ipAddress: address, port: 1), trusted: ranges)
        #expect(identity.isTrusted == isTrusted)
    }

    @Test("is nobody's address on a Unix socket, which no range holds")
    func unixSocket() throws {
        let identity = try Self.identity(SocketAddress(unixDomainSocketPath: "/tmp/s"), trusted: ["0.0.0.0/0", "::/0"])
        #expect(identity.address == "" && identity.bits == nil && !identity.isTrusted)
        #expect(identity.line(of: .xForwardedFor).isEmpty && identity.line(of: .xRealIP).isEmpty)
        #expect(identity.lines == Array("X-Forwarded-Proto: http\r\nX-Forwarded-Server: r1\r\n".utf8))
        identity.withValue(of: .xRealIP) { #expect($0 == nil) }
        let unknown = try Self.identity(nil, trusted: ["0.0.0.0/0"])
        #expect(unknown.address == "" && !unknown.isTrusted && unknown.port == 0)
    }
}
