package import Routing

/// The URL of a backend: `http://host:port`, `https://host:port`, or `h2c://host:port`.
package struct ServerURL: Equatable {
    package let host: String
    package let port: Int
    /// Whether the scheme is https.
    package let isSecure: Bool
    /// Whether the scheme is h2c: HTTP/2 from the first byte on, without TLS.
    package let isHTTP2: Bool
    /// Whether the URL has a path, which has no effect.
    package let hasPath: Bool

    /// - Throws: `AddressError`, whose message says how to correct the text.
    package init(_ text: String) throws(AddressError) {
        // A password may contain a slash, so what precedes the @ can look like another host.
        guard !text.contains("@") else {
            throw AddressError(text, "must not contain credentials: write http://host:port")
        }
        guard let scheme = text.firstRange(of: "://") else {
            throw AddressError(text, "is not a valid URL: write http://host:port")
        }
        switch text[..<scheme.lowerBound].lowercased() {
        case "http": (isSecure, isHTTP2) = (false, false)
        case "https": (isSecure, isHTTP2) = (true, false)
        case "h2c": (isSecure, isHTTP2) = (false, true)
        default: throw AddressError(text, "has an unknown scheme: write http://host:port")
        }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let place = try HostAndPort(authority, of: text, defaultPort: isSecure ? 443 : 80)
        host = place.host
        port = place.port
        hasPath = rest.count > authority.count && rest != authority + "/"
    }
}
