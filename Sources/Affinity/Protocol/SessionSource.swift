/// Where the session key of a request is found.
package enum SessionSource: Hashable, Sendable {
    /// A header field. Its name is case-insensitive (RFC 9110, section 5.1).
    case header(String)
    /// A parameter of the query string.
    case query(String)
    /// The affinity cookie; the session key is the session id in it.
    case cookie
    /// The application's own cookie.
    case appCookie(String)
    /// The client's address, cut to the configured prefix.
    case clientAddress

    /// Part of every fingerprint, so it never changes once released.
    var tag: UInt64 {
        switch self {
        case .header: 1
        case .query: 2
        case .cookie: 3
        case .appCookie: 4
        case .clientAddress: 5
        }
    }

    /// The configured name as the fingerprint includes it. The name of a header is in lower case (ASCII), because one
    /// header has many spellings.
    var hashedName: [UInt8] {
        switch self {
        case .header(let name):
            name.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        case .query(let name), .appCookie(let name):
            Array(name.utf8)
        case .cookie, .clientAddress:
            []
        }
    }
}
