package import Proxy
import TLS

/// How a service's servers are reached, and how long they may take: `http.serversTransports.<name>`, and
/// `serversTransport` of the main file. Nil means unlimited, unless said otherwise.
package struct ServersTransportSettings: Equatable, Sendable {
    /// Connections without a request that the replica keeps to one server. Nil: as many as its event loops keep by
    /// default.
    package var maxIdleConnsPerHost: Int?
    /// For one attempt to connect. Nil leaves it to the kernel.
    package var dialTimeout: Duration? = .seconds(1)
    /// From the end of a request to the head of its response.
    package var responseHeaderTimeout: Duration?
    /// For a connection without a request.
    package var idleConnTimeout: Duration? = .seconds(50)
    /// The silence on an HTTP/2 connection with requests after which a PING is sent. Nil: none is sent.
    package var readIdleTimeout: Duration?
    /// How long the silence may last after a PING.
    package var pingTimeout = Self.pingTimeoutDefault
    /// Between two pieces of a response's body.
    package var responseGapTimeout: Duration?
    /// From the end of a request's head to the end of its response.
    package var requestTimeout: Duration?
    /// Between two pieces of either direction, after a switch of protocols.
    package var tunnelTimeout: Duration?
    /// For servers whose URL has the scheme https.
    package var tls = BackendTLSSettings()
    /// The files that `tls` was read from.
    var files = TransportFiles()

    package init() {}

    /// Whether both say the same, whatever their files contain.
    package func says(theSameAs other: ServersTransportSettings) -> Bool {
        var (own, other) = (self, other)
        (own.tls.client.authorities, own.tls.client.certificate) = (nil, nil)
        (other.tls.client.authorities, other.tls.client.certificate) = (nil, nil)
        return own == other
    }
}

extension ServersTransportSettings {
    private static let idleConnectionsMax = 1_000_000
    private static let pingTimeoutDefault = Duration.seconds(15)

    init(_ section: SettingSection, _ context: HTTPContext) {
        self.init()
        section.check(
            known: ["maxIdleConnsPerHost", "forwardingTimeouts"] + BackendTLSSettings.keys,
            unavailable: ["cipherSuites", "minVersion", "maxVersion", "peerCertSANs", "spiffe"])
        tls = BackendTLSSettings(section, context)
        files = TransportFiles(section)
        maxIdleConnsPerHost = section.limit("maxIdleConnsPerHost", atMost: Self.idleConnectionsMax)
        guard let timeouts = section.section("forwardingTimeouts") else { return }
        timeouts.check(
            known: [
                "dialTimeout", "responseHeaderTimeout", "idleConnTimeout", "readIdleTimeout", "pingTimeout",
                "responseGapTimeout", "requestTimeout", "tunnelTimeout",
            ])
        dialTimeout = timeouts.timeout("dialTimeout", default: dialTimeout)
        responseHeaderTimeout = timeouts.timeout("responseHeaderTimeout", default: responseHeaderTimeout)
        idleConnTimeout = timeouts.timeout("idleConnTimeout", default: idleConnTimeout)
        readIdleTimeout = timeouts.timeout("readIdleTimeout", default: readIdleTimeout)
        // As in Traefik, 0 is the default.
        pingTimeout = timeouts.timeout("pingTimeout", default: pingTimeout) ?? Self.pingTimeoutDefault
        responseGapTimeout = timeouts.timeout("responseGapTimeout", default: responseGapTimeout)
        requestTimeout = timeouts.timeout("requestTimeout", default: requestTimeout)
        tunnelTimeout = timeouts.timeout("tunnelTimeout", default: tunnelTimeout)
    }
}

/// A servers transport as one source defines it.
struct ServersTransportDraft {
    /// Traefik's name for that of the main file.
    static let defaultName = "default@internal"

    let name: String
    let value: SettingValue
    let provider: ProviderName
    let settings: ServersTransportSettings

    init(name: String, _ value: SettingValue, of provider: ProviderName, _ context: HTTPContext) {
        self.name = name
        self.value = value
        self.provider = provider
        settings = value.section().map { ServersTransportSettings($0, context) } ?? ServersTransportSettings()
    }

    /// What a service names. Nil for the default, which has no definition of its own, and after an error.
    static func reference(_ value: SettingValue, from provider: ProviderName) -> HTTPReference? {
        value.text == defaultName ? nil : HTTPReference(value, from: provider)
    }

    /// Those that the section `http` of a source defines.
    static func all(
        _ section: SettingSection, of provider: ProviderName, _ context: HTTPContext
    ) -> [ServersTransportDraft] {
        HTTPDraft.named(section.section("serversTransports")).map {
            ServersTransportDraft(name: $0, $1, of: provider, context)
        }
    }
}
