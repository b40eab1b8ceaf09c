package import Routing

/// The address of a listener, in Traefik's notation: `:8000`, `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000`.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// Nil: all interfaces. IPv6 without brackets.
    package let host: String?
    /// Zero: any free port.
    package let port: Int

    package init(host: String?, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Throws: `AddressError`, whose message says how to correct the text.
    package init(_ text: String) throws(AddressError) {
        let place = text.hasSuffix("/tcp") ? text.dropLast(4) : text[...]
        guard let colon = place.lastIndex(of: ":") else {
            throw AddressError(text, "has no port: write host:port, or :port for all interfaces")
        }
        guard let port = Int(decimal: place[place.index(after: colon)...]), port <= 65535 else {
            throw AddressError(text, "has no valid port: write a number from 0 to 65535")
        }
        let host = place[..<colon]
        guard host.isEmpty || HostSyntax.isHost(host) else {
            throw AddressError(
                text, "has no valid host: write a name, an IPv4 address or an [IPv6 address]")
        }
        self.init(host: host.isEmpty ? nil : HostSyntax.withoutBrackets(host), port: port)
    }

    /// Whether only this machine reaches it: 127.0.0.0/8, ::1, and the name localhost.
    package var isLoopback: Bool {
        guard let host else { return false }
        guard let bits = AddressRange.Bits(host) else { return host.lowercased() == "localhost" }
        let bytes = AddressRange.Bits(packet: bits.bytes).bytes
        return bytes.count == 4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// Whether two sockets cannot listen on both addresses. A listener on all interfaces takes its port everywhere.
    func overlaps(_ other: ListenAddress) -> Bool {
        guard port != 0, port == other.port else { return false }
        return host == other.host || covers(other) || other.covers(self)
    }

    private func covers(_ other: ListenAddress) -> Bool {
        switch host {
        case nil, "::": true
        case "0.0.0.0": other.host.map { !$0.contains(":") } ?? true
        default: false
        }
    }

    package var description: String {
        guard let host else { return ":\(port)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
