import HTTPWire

extension SchemeRedirect {
    /// As in Traefik: for a method other than GET, the status tells the client to keep the method.
    func status(for method: Method) -> Int {
        switch (isPermanent, method == .get) {
        case (true, true): 301
        case (true, false): 308
        case (false, true): 302
        case (false, false): 307
        }
    }

    /// The location of the same resource: the host without its port, the port of the redirect, path and query.
    ///
    /// - Parameters:
    ///   - host: valid as a Host field: nothing in it can end the authority.
    ///   - path: `*`, which is not a path, becomes the root.
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

    /// The scheme in X-Forwarded-Proto; a WebSocket's scheme maps to that of its opening request.
    init?(forwarded value: some Collection<UInt8>) {
        switch String(decoding: value, as: UTF8.self).lowercased() {
        case "http", "ws": self = .http
        case "https", "wss": self = .https
        default: return nil
        }
    }
}
