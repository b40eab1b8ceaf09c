package import Affinity

/// Receives finished exchanges. Must not block: it is called on the event loops.
package protocol ExchangeLog: Sendable {
    func append(_ record: ExchangeLogEntry)
}

extension ExchangeLogEntry {
    /// The head of a request was refused before anything of it could be trusted.
    init(refused cause: Cause, status: Int, from client: ClientConnectionInfo) {
        self.init(
            entryPoint: client.entryPoint.name, clientAddress: client.address, clientPort: client.port, method: [],
            host: [], target: [], version: client.isHTTP2 ? .http2 : .http11)
        tls = client.tls
        self.status = status
        self.cause = cause
    }
}

/// One finished exchange. Contains no cookies or credentials. A session key is in it only if the client put it into the
/// target; the writer of the log redacts it.
package struct ExchangeLogEntry: Sendable {
    /// What the client speaks; the raw value is that of CGI's SERVER_PROTOCOL.
    package enum Version: String, Sendable {
        case http10 = "HTTP/1.0"
        case http11 = "HTTP/1.1"
        case http2 = "HTTP/2.0"
    }

    package var entryPoint: String
    package var router: String?
    package var service: String?
    /// The backend's name and its `host:port`.
    package var backend: (name: String, address: String)?
    package var clientAddress: String
    package var clientPort: Int
    package var method: [UInt8]
    /// The value of Host.
    package var host: [UInt8]
    /// As received, including the query.
    package var target: [UInt8]
    package var version: Version
    /// Nil: the client's connection has no TLS.
    package var tls: TLSConnectionInfo?
    /// Size of the request body as received.
    package var requestBytes: UInt64 = 0
    /// The status that the client received; 499 if it disconnected before.
    package var status = 0
    /// Whether the status came from the backend.
    package var isBackendStatus = false
    /// Size of the response body as sent.
    package var responseBytes: UInt64 = 0
    package var provenance: Provenance?
    package var fingerprint: Fingerprint?
    /// The epoch of the session's binding; nil without a session, and on a detour.
    package var epoch: UInt32?
    /// Connection attempts and transmissions beyond the first.
    package var retries = 0
    /// Why Limpet answered itself, or what ended the exchange; nil if the backend's response was sent completely.
    package var cause: Cause?
    /// Why the last attempt at a backend failed; nil if none has.
    package var failedAttempt: Cause?
    /// Nanoseconds from the request head to the end of the exchange.
    package var duration: Int64 = 0
    /// Nanoseconds from sending the request to the response head; nil if none arrived.
    package var backendDuration: Int64?
}
