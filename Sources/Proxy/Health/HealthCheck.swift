package import Affinity

/// How a service's backends are checked: one HTTP request to each, again and again. As configured.
package struct HealthCheck: Hashable, Sendable {
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
    package var method: String
    /// The value of the Host field; nil: the address that is checked.
    package var hostname: String?
    /// Nil: the backend's own port.
    package var port: Int?
    /// Whether it goes over TLS; nil: as the backend's requests do.
    package var isSecure: Bool?
    /// The TLS of a check that goes over it, where the backend's requests do not.
    package var tls: BackendTLS?
    /// The only status that counts as healthy; nil: all from 200 to 399.
    package var status: Int?
    package var headers: [Field]
    /// Whether a redirect to the same host and port is followed. Any other redirect is judged by its status.
    package var followsRedirects: Bool
    package var pace: CheckPace

    package init(
        path: String, method: String = "GET", hostname: String? = nil, port: Int? = nil, isSecure: Bool? = nil,
        status: Int? = nil, headers: [Field] = [], followsRedirects: Bool = true, pace: CheckPace = CheckPace()
    ) {
        self.path = path
        self.method = method
        self.hostname = hostname
        self.port = port
        self.isSecure = isSecure
        self.status = status
        self.headers = headers
        self.followsRedirects = followsRedirects
        self.pace = pace
    }

    /// The TLS that a check of this backend goes over.
    func tls(of backend: Backend) -> BackendTLS? {
        switch isSecure {
        case nil: backend.tls
        case true?: backend.tls ?? tls
        case false?: nil
        }
    }

    func isHealthy(_ status: Int) -> Bool {
        self.status.map { $0 == status } ?? (200..<400).contains(status)
    }
}
