import Routing

/// The URL of a backend: `http://host:port`.
struct ServerURL: Equatable {
    let host: String
    let port: Int
    /// Whether a path stands in it, which has no effect.
    let hasPath: Bool

    /// - Throws: `AddressError`, whose message says what would be right.
    init(_ text: String) throws(AddressError) {
        // A password may hold a slash, so that what stands before the @ looks like another host.
        guard !text.contains("@") else {
            throw AddressError(text, "must not contain credentials: write http://host:port")
        }
        guard let scheme = text.firstRange(of: "://") else {
            throw AddressError(text, "is not a valid URL: write http://host:port")
        }
        switch text[..<scheme.lowerBound].lowercased() {
        case "http": break
        case "https": throw AddressError(text, "uses https, but TLS to backends is not available in this version")
        case "h2c": throw AddressError(text, "uses h2c, but HTTP/2 to backends is not available in this version")
        default: throw AddressError(text, "has an unknown scheme: write http://host:port")
        }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let place = try HostAndPort(authority, of: text, defaultPort: 80)
        host = place.host
        port = place.port
        hasPath = rest.count > authority.count && rest != authority + "/"
    }
}

/// A host and a port as they stand in a URL.
struct HostAndPort {
    let host: String
    let port: Int

    /// - Parameter text: the whole URL, for errors.
    init(_ authority: Substring, of text: String, defaultPort: Int) throws(AddressError) {
        var name = authority
        var port: Int? = defaultPort
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            name = authority[..<colon]
            port = Int(decimal: authority[authority.index(after: colon)...])
        }
        guard let port, (1...65535).contains(port) else {
            throw AddressError(text, "has no valid port: write a number from 1 to 65535")
        }
        guard HostSyntax.isHost(name) else {
            throw AddressError(text, "has no valid host: write a name, an IPv4 address or an [IPv6 address]")
        }
        host = HostSyntax.withoutBrackets(name)
        self.port = port
    }
}
