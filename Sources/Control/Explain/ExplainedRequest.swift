import Configuration
import NIOCore
import Routing

/// A request to explain, as a user types it.
package struct ExplainedRequest: Sendable {
    package let method: String
    /// The URL as given.
    package let url: String
    /// The client as given.
    package let client: String
    /// The port in the URL, or its scheme's default.
    let port: Int
    /// The host of an https URL; nil: the request comes without TLS.
    let secureHost: String?
    let remote: SocketAddress
    /// The whole head, as a client would send it.
    let head: [UInt8]

    /// - Parameters:
    ///   - url: `http://host[:port]/path?query`, or with https. Path and query may contain what Limpet would refuse.
    ///   - fields: `Name: value` each. A Host header replaces that of the URL.
    ///   - client: the address that the request comes from.
    /// - Throws: one sentence that says how to correct the request.
    package init(method: String, url: String, fields: [String], client: String) throws(ExplanationDiagnostic) {
        guard let scheme = url.firstRange(of: "://"),
            ["http", "https"].contains(url[..<scheme.lowerBound].lowercased())
        else { throw ExplanationDiagnostic("\"\(url)\" is not a valid URL: write http://host/path") }
        let rest = url[scheme.upperBound...].prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else {
            throw ExplanationDiagnostic(
                "the URL must not contain credentials: send them with --header 'Authorization: Basic …'")
        }
        let isSecure = url[..<scheme.lowerBound].lowercased() == "https"
        guard let remote = try? SocketAddress(ipAddress: client, port: 0) else {
            throw ExplanationDiagnostic("\"\(client)\" is not an IP address")
        }
        for text in [method, String(rest)] + fields where text.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A }) {
            throw ExplanationDiagnostic("the method, the URL and the headers must not contain line breaks")
        }
        do {
            let place = try HostAndPort(authority, of: url, defaultPort: isSecure ? 443 : 80)
            port = place.port
            secureHost = isSecure ? place.host : nil
        } catch {
            throw ExplanationDiagnostic(error.description)
        }
        for field in fields where !field.contains(":") {
            throw ExplanationDiagnostic("\"\(field.prefix { $0 != " " })\" is not a header: write 'Name: value'")
        }
        let target = rest.dropFirst(authority.count)
        let path = target.hasPrefix("/") ? target : "/" + target
        let namesHost = fields.contains { $0.lowercased().hasPrefix("host:") }
        let lines =
            ["\(method) \(path) HTTP/1.1"] + (namesHost ? [] : ["Host: \(authority)"])
            + fields.map { field in
                let name = field.prefix { $0 != ":" }
                return "\(name): \(field.dropFirst(name.count + 1).drop { $0 == " " })"
            }
        (self.method, self.url, self.client, self.remote) = (method, url, client, remote)
        head = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }
}

/// Why a request cannot be explained, in one sentence.
package struct ExplanationDiagnostic: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
