import HTTPWire
import NIOCore
import Routing

/// Who is at the other end of a client connection, and the forwarding fields that say so to a backend. Made once per
/// connection, because nothing in it changes from request to request.
final class ClientIdentity {
    let entryPoint: EntryPoint
    /// The address as text, without port; empty for a Unix socket.
    let address: String
    let port: Int
    /// Nil for a Unix socket.
    let bits: AddressRange.Bits?
    /// Whether its X-Forwarded-* fields are believed.
    let isTrusted: Bool
    /// X-Forwarded-For and X-Real-Ip as lines; empty without an address.
    let forwardedForLine: [UInt8]
    let realIPLine: [UInt8]
    /// X-Forwarded-Proto, X-Forwarded-Port and X-Forwarded-Server as lines.
    let routeLines: [UInt8]

    init(remote: SocketAddress?, local: SocketAddress?, entryPoint: EntryPoint, replicaName: String) {
        self.entryPoint = entryPoint
        let bits = Self.bits(of: remote)
        self.bits = bits
        address = Self.text(of: remote)
        port = remote?.port ?? 0
        isTrusted = bits.map { bits in entryPoint.trustedPeers.contains { $0.contains(bits) } } ?? false
        forwardedForLine = address.isEmpty ? [] : Array("X-Forwarded-For: \(address)\r\n".utf8)
        realIPLine = address.isEmpty ? [] : Array("X-Real-Ip: \(address)\r\n".utf8)
        let port = "X-Forwarded-Port: \(local?.port ?? 80)\r\n"
        routeLines = Array("X-Forwarded-Proto: http\r\n\(port)X-Forwarded-Server: \(replicaName)\r\n".utf8)
    }

    /// Calls `body` with what a backend is told in a forwarding field unless a trusted peer says otherwise; nil: it is
    /// told nothing.
    ///
    /// - Parameter host: as the request names it.
    func withForwarded<Result>(
        _ name: FieldName, host: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        switch name {
        case .xForwardedFor: Self.withValue(of: 0, in: forwardedForLine, body)
        case .xRealIP: Self.withValue(of: 0, in: realIPLine, body)
        case .xForwardedProto: Self.withValue(of: 0, in: routeLines, body)
        case .xForwardedPort: Self.withValue(of: 1, in: routeLines, body)
        case .xForwardedServer: Self.withValue(of: 2, in: routeLines, body)
        case .xForwardedHost: body(host.isEmpty ? nil : host)
        default: body(nil)
        }
    }

    /// The value in one of some lines; nil where there is no such line.
    private static func withValue<Result>(
        of place: Int, in lines: [UInt8], _ body: (UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        lines.withUnsafeBytes { lines in
            var rest = lines[...]
            for _ in 0..<place { rest = rest.drop { $0 != UInt8(ascii: "\n") }.dropFirst() }
            let line = rest.prefix { $0 != UInt8(ascii: "\r") }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return body(nil) }
            return body(UnsafeRawBufferPointer(rebasing: line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }))
        }
    }

    private static func text(of address: SocketAddress?) -> String {
        guard let text = address?.ipAddress else { return "" }
        let mapped = "::ffff:"
        let isMapped = text.hasPrefix(mapped) && text.utf8.contains(UInt8(ascii: "."))
        return isMapped ? String(text.dropFirst(mapped.count)) : text
    }

    private static func bits(of address: SocketAddress?) -> AddressRange.Bits? {
        switch address {
        case .v4: packet(address, at: 4, count: 4).map(AddressRange.Bits.init(packet:))
        case .v6: packet(address, at: 8, count: 16).map(AddressRange.Bits.init(packet:))
        case .unixDomainSocket, nil: nil
        }
    }

    /// Bytes of the socket address itself: an IPv4 address stands at offset 4, an IPv6 address at offset 8.
    private static func packet(_ address: SocketAddress?, at offset: Int, count: Int) -> [UInt8]? {
        address?.withSockAddr { pointer, size in
            guard size >= offset + count else { return nil }
            return Array(UnsafeRawBufferPointer(start: UnsafeRawPointer(pointer) + offset, count: count))
        }
    }
}
