package import Routing

/// The host and port of a URL.
package struct HostAndPort {
    package let host: String
    package let port: Int

    /// - Parameter text: the whole URL, for errors.
    package init(_ authority: Substring, of text: String, defaultPort: Int) throws(AddressError) {
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
