import HTTPWire
import NIOCore
import Routing

/// What is known about a client connection: the peer, the entry point, and the forwarding fields that report them to a
/// backend. Made once per connection, because nothing in it changes between requests.
final class ClientConnectionInfo {
    let entryPoint: EntryPoint
    /// Nil: without TLS.
    let tls: TLSConnectionInfo?
    let isHTTP2: Bool
    /// The address as text, without port; empty for a Unix socket.
    let address: String
    let port: Int
    /// Nil for a Unix socket.
    let bits: AddressRange.Bits?
    /// Whether the client's X-Forwarded-* fields are trusted.
    let isTrusted: Bool
    /// The forwarding fields that are the same in each request, as lines: X-Forwarded-For and X-Real-Ip (if the peer
    /// has an address), X-Forwarded-Proto and X-Forwarded-Server.
    let lines: [UInt8]
    private let parts: [(name: FieldName, line: Range<Int>, value: Range<Int>)]

    init(
        remote: SocketAddress?, tls: TLSConnectionInfo? = nil, isHTTP2: Bool = false, entryPoint: EntryPoint,
        replicaName: String
    ) {
        self.entryPoint = entryPoint
        self.tls = tls
        self.isHTTP2 = isHTTP2
        let bits = Self.bits(of: remote)
        self.bits = bits
        address = Self.text(of: remote)
        port = remote?.port ?? 0
        isTrusted = bits.map { bits in entryPoint.trustedPeers.contains { $0.contains(bits) } } ?? false
        var lines: [UInt8] = []
        var parts: [(name: FieldName, line: Range<Int>, value: Range<Int>)] = []
        let fields: [(FieldName, String, String)] = [
            (.xForwardedFor, "X-Forwarded-For: ", address), (.xRealIP, "X-Real-Ip: ", address),
            (.xForwardedProto, "X-Forwarded-Proto: ", Self.scheme(tls).rawValue),
            (.xForwardedServer, "X-Forwarded-Server: ", replicaName),
        ]
        for (name, text, value) in fields where !value.isEmpty {
            let start = lines.count
            lines += text.utf8
            lines += value.utf8
            parts.append((name, start..<lines.count + 2, start + text.utf8.count..<lines.count))
            lines += "\r\n".utf8
        }
        self.lines = lines
        self.parts = parts
    }

    /// The scheme that the client uses with us.
    var scheme: SchemeRedirect.Scheme { Self.scheme(tls) }

    private static func scheme(_ tls: TLSConnectionInfo?) -> SchemeRedirect.Scheme { tls == nil ? .http : .https }

    /// The field as a line; empty if the client has no such line.
    func line(of name: FieldName) -> ArraySlice<UInt8> {
        parts.first { $0.name == name }.map { lines[$0.line] } ?? []
    }

    /// Calls `body` with the value of the field's line; nil if the client has no such line.
    func withValue<Result>(of name: FieldName, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
        guard let part = parts.first(where: { $0.name == name }) else { return body(nil) }
        return lines.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[part.value])) }
    }

    private static func text(of address: SocketAddress?) -> String {
        guard let text = address?.ipAddress else { return "" }
        let mapped = "::ffff:"
        let isMapped = text.hasPrefix(mapped) && text.utf8.contains(UInt8(ascii: "."))
        return isMapped ? String(text.dropFirst(mapped.count)) : text
    }

    static func bits(of address: SocketAddress?) -> AddressRange.Bits? {
        switch address {
        case .v4: packet(address, at: 4, count: 4).map(AddressRange.Bits.init(packet:))
        case .v6: packet(address, at: 8, count: 16).map(AddressRange.Bits.init(packet:))
        case .unixDomainSocket, nil: nil
        }
    }

    /// Bytes of the socket address: an IPv4 address is at offset 4, an IPv6 address at offset 8.
    private static func packet(_ address: SocketAddress?, at offset: Int, count: Int) -> [UInt8]? {
        address?.withSockAddr { pointer, size in
            guard size >= offset + count else { return nil }
            return Array(UnsafeRawBufferPointer(start: UnsafeRawPointer(pointer) + offset, count: count))
        }
    }
}
