import NIOCore

/// Who is at the other end of a client connection, and the forwarding fields that say so to a backend. Made once per
/// connection, because nothing in it changes from request to request.
struct ClientIdentity {
    /// The address as text, without port; empty for a Unix socket.
    let address: String
    let port: Int
    /// The address in network byte order: 4 or 16 bytes, none for a Unix socket. An IPv4 address mapped into IPv6
    /// (`::ffff:a.b.c.d`) is the IPv4 address.
    let addressBytes: [UInt8]
    /// Whether its X-Forwarded-* fields are believed.
    let isTrusted: Bool
    /// `X-Real-Ip`, `X-Forwarded-Proto`, `X-Forwarded-Port` and `X-Forwarded-Server` as lines.
    let staticLines: [UInt8]

    init(remote: SocketAddress?, local: SocketAddress?, entryPoint: EntryPoint, replicaName: String) {
        addressBytes = Self.bytes(of: remote)
        address = Self.text(of: remote)
        port = remote?.port ?? 0
        isTrusted = entryPoint.trusts(addressBytes)
        var lines = ""
        if !address.isEmpty { lines += "X-Real-Ip: \(address)\r\n" }
        lines += "X-Forwarded-Proto: http\r\nX-Forwarded-Port: \(local?.port ?? 80)\r\n"
        lines += "X-Forwarded-Server: \(replicaName)\r\n"
        staticLines = Array(lines.utf8)
    }

    private static func text(of address: SocketAddress?) -> String {
        guard let text = address?.ipAddress else { return "" }
        let mapped = "::ffff:"
        let isMapped = text.hasPrefix(mapped) && text.utf8.contains(UInt8(ascii: "."))
        return isMapped ? String(text.dropFirst(mapped.count)) : text
    }

    private static func bytes(of address: SocketAddress?) -> [UInt8] {
        switch address {
        case .v4:
            raw(address, at: 4, count: 4)
        case .v6:
            ipv4Mapped(raw(address, at: 8, count: 16))
        case .unixDomainSocket, nil:
            []
        }
    }

    /// Bytes of the socket address itself: the IPv4 address stands at offset 4, the IPv6 address at offset 8.
    private static func raw(_ address: SocketAddress?, at offset: Int, count: Int) -> [UInt8] {
        address?.withSockAddr { pointer, size in
            guard size >= offset + count else { return [] }
            return Array(UnsafeRawBufferPointer(start: UnsafeRawPointer(pointer) + offset, count: count))
        } ?? []
    }

    private static func ipv4Mapped(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF else {
            return bytes
        }
        return Array(bytes[12...])
    }
}
