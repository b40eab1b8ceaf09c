/// What a client begins a connection with, judged by its first bytes. Pure.
enum FirstBytes: Equatable {
    /// Nothing has come yet, or a beginning that may still be one of two.
    case unknown
    /// A record of TLS that carries a handshake (RFC 8446, section 5.1).
    case tls
    /// The greeting of SSLv2, or one of SSLv3 and later in its form (RFC 5246, appendix E.2): never served.
    case sslv2
    /// Anything else: HTTP without TLS, or nothing that is served at all.
    case plain

    init(_ bytes: some Collection<UInt8>) {
        let first = Array(bytes.prefix(3))
        guard let kind = first.first else {
            self = .unknown
            return
        }
        if kind == 0x16 {
            self = first.count < 2 ? .unknown : first[1] == 3 ? .tls : .plain
        } else if kind & 0x80 != 0 {
            // A length with its high bit set, and a ClientHello. No method of HTTP begins so.
            self = first.count < 3 ? .unknown : first[2] == 1 ? .sslv2 : .plain
        } else {
            self = .plain
        }
    }
}
