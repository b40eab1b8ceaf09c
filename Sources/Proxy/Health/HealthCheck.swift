package import Affinity

/// How a service's backends are checked: one HTTP request to each, again and again. As configured.
package struct HealthCheck: Hashable, Sendable {
    package enum Mode: String, CaseIterable, Sendable {
        /// The status of a response counts.
        case http
        /// What the server says of itself counts (`grpc.health.v1.Health`).
        case grpc
    }

    package enum Scheme: String, CaseIterable, Sendable {
        case http, https, h2c
    }

    package struct Field: Hashable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// In origin form (RFC 9112, section 3.2.1): begins with a slash, and may have a query.
    package var path: String
    package var mode: Mode
    package var method: String
    /// The value of the Host field; nil: the address that is checked.
    package var hostname: String?
    /// Nil: the backend's own port.
    package var port: Int?
    /// How it goes; nil: as the backend's requests do.
    package var scheme: Scheme?
    /// The TLS of a check that goes over it, where the backend's requests do not.
    package var tls: BackendTLS?
    /// The only status that counts as healthy; nil: all from 200 to 399.
    package var status: Int?
    package var headers: [Field]
    /// Whether a redirect to the same host and port is followed. Any other redirect is judged by its status.
    package var followsRedirects: Bool
    package var pace: CheckPace

    package init(
        path: String, mode: Mode = .http, method: String = "GET", hostname: String? = nil, port: Int? = nil,
        scheme: Scheme? = nil, status: Int? = nil, headers: [Field] = [], followsRedirects: Bool = true,
        pace: CheckPace = CheckPace()
    ) {
        self.path = path
        self.mode = mode
        self.method = method
        self.hostname = hostname
        self.port = port
        self.scheme = scheme
        self.status = status
        self.headers = headers
        self.followsRedirects = followsRedirects
        self.pace = pace
    }

    /// The TLS that a check of this backend goes over.
    func tls(of backend: Backend) -> BackendTLS? {
        switch scheme {
        case nil: backend.tls
        case .https: backend.tls ?? tls
        case .http, .h2c: nil
        }
    }

    /// Whether a check of this backend is HTTP/2 from the first byte on.
    func isHTTP2(of backend: Backend) -> Bool {
        guard tls(of: backend) == nil else { return false }
        return mode == .grpc || scheme == .h2c || (scheme == nil && backend.isHTTP2)
    }

    /// Whether it needs the TLS settings of the service.
    package var isSecure: Bool { scheme == .https }

    func isHealthy(_ status: Int) -> Bool {
        self.status.map { $0 == status } ?? (200..<400).contains(status)
    }
}
