import HTTPWire
import NIOCore

/// Where the requests of one backend's health check go, and how they are written.
struct CheckTarget {
    let host: String
    let port: Int
    /// The backend at the check's port.
    let place: Backend
    private let check: HealthCheck
    /// The value of the Host field.
    private let hostField: String
    /// The authorities, in lower case and without the default port, that lead here.
    private let own: Set<String>

    /// The bounds for a Location that is followed, in bytes.
    private static let locationMax = 8192

    init(_ backend: Backend, _ check: HealthCheck) {
        place = Backend(
            name: backend.name, host: backend.host, port: check.port ?? backend.port, tls: check.tls(of: backend),
            isHTTP2: check.isHTTP2(of: backend))
        (host, port) = (place.host, place.port)
        self.check = check
        hostField = check.hostname ?? place.authority
        own = [
            Self.normalized(place.authority, isSecure: place.tls != nil),
            Self.normalized(hostField, isSecure: place.tls != nil),
        ]
    }

    /// The request for the check's own path, or for one that it was redirected to.
    func request(path: String? = nil, method: String? = nil) -> CheckRequest {
        guard check.mode == .http else { return GRPCHealth.request(host: hostField, fields: fields) }
        let method = method ?? check.method
        var buffer = ByteBuffer()
        buffer.writeString("\(method) \(path ?? check.path) HTTP/1.1\r\nHost: \(hostField)\r\n\(fields)")
        // A server may wait for the length of a body that the method allows (RFC 9110, section 8.6).
        if !["GET", "HEAD", "OPTIONS", "TRACE", "DELETE"].contains(method) {
            buffer.writeString("Content-Length: 0\r\n")
        }
        buffer.writeString("\r\n")
        return CheckRequest(head: buffer, method: method == "HEAD" ? .head : .get)
    }

    /// The lines that every request has.
    private var fields: String {
        let hasAgent = check.headers.contains { $0.name.lowercased() == "user-agent" }
        return (hasAgent ? "" : "User-Agent: limpet\r\n")
            + check.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
    }

    /// The path that a redirect leads to; nil if it is not followed: it leads to another host or port, or makes no
    /// sense.
    ///
    /// - Parameter path: the path that was requested.
    func redirect(to location: [UInt8], from path: String) -> String? {
        guard check.followsRedirects, !location.isEmpty, location.count <= Self.locationMax,
            location.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        let text = String(decoding: location.prefix { $0 != UInt8(ascii: "#") }, as: UTF8.self)
        let scheme = place.tls == nil ? "http://" : "https://"
        if text.lowercased().hasPrefix(scheme) { return below(text.dropFirst(scheme.count)) }
        if text.hasPrefix("//") { return below(text.dropFirst(2)) }
        if text.hasPrefix("/") { return text }
        // Another scheme.
        let first = text.prefix { $0 != "/" && $0 != "?" }
        guard !text.isEmpty, !first.contains(":") else { return nil }
        let base = path.prefix { $0 != "?" }
        if text.hasPrefix("?") { return base + text }
        return base[...(base.lastIndex(of: "/") ?? base.startIndex)] + text
    }

    /// Of `host:port/path` the path, if the host and the port are the same.
    private func below(_ rest: Substring) -> String? {
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard own.contains(Self.normalized(String(authority), isSecure: place.tls != nil)) else { return nil }
        let path = rest.dropFirst(authority.count)
        return path.hasPrefix("/") ? String(path) : "/\(path)"
    }

    private static func normalized(_ authority: String, isSecure: Bool) -> String {
        let (text, port) = (authority.lowercased(), isSecure ? ":443" : ":80")
        return text.hasSuffix(port) ? String(text.dropLast(port.count)) : text
    }
}
