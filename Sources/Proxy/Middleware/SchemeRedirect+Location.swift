import HTTPWire

extension SchemeRedirect {
    /// As Traefik: a method other than GET is asked to stay the same.
    func status(for method: Method) -> Int {
        switch (isPermanent, method == .get) {
        case (true, true): 301
        case (true, false): 308
        case (false, true): 302
        case (false, false): 307
        }
    }

    /// Where the same thing is to be found: the host without its port, the port of the redirect, path and query.
    ///
    /// - Parameters:
    ///   - host: valid as a Host field: nothing in it can end the authority.
    ///   - path: `*`, which is none, is the root.
    func location(
        host: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer, query: UnsafeRawBufferPointer?
    ) -> [UInt8] {
        var location = Array("\(scheme.rawValue)://".utf8) + Self.name(in: host)
        if let port, port != scheme.ownPort { location += Array(":\(port)".utf8) }
        if path.first == UInt8(ascii: "/") {
            PathEdit.appendSafely(path, to: &location)
        } else {
            location.append(UInt8(ascii: "/"))
        }
        if let query {
            location.append(UInt8(ascii: "?"))
            PathEdit.appendSafely(query, to: &location)
        }
        return location
    }

    /// The host without the port.
    private static func name(in host: UnsafeRawBufferPointer) -> [UInt8] {
        if host.first == UInt8(ascii: "["), let end = host.firstIndex(of: UInt8(ascii: "]")) {
            return Array(host[...end])
        }
        return Array(host.prefix { $0 != UInt8(ascii: ":") })
    }
}

extension SchemeRedirect.Scheme {
    var ownPort: Int {
        switch self {
        case .http: 80
        case .https: 443
        }
    }

    /// The scheme that X-Forwarded-Proto tells; a WebSocket's is that of the request it began with.
    init?(forwarded value: some Collection<UInt8>) {
        switch String(decoding: value, as: UTF8.self).lowercased() {
        case "http", "ws": self = .http
        case "https", "wss": self = .https
        default: return nil
        }
    }
}
