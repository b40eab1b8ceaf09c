package import Affinity

/// Where finished exchanges are told. Must not block: it is called on the event loops.
package protocol ExchangeLog: Sendable {
    func append(_ record: ExchangeLogEntry)
}

/// One finished exchange. Holds no cookie and no credential; a session key only where the client wrote it into the
/// target, and whoever writes the record down redacts it.
package struct ExchangeLogEntry: Sendable {
    package var entryPoint: String
    package var router: String?
    package var service: String?
    /// The backend's name, and its `host:port`.
    package var backend: (name: String, address: String)?
    package var clientAddress: String
    package var clientPort: Int
    package var method: [UInt8]
    /// The value of Host.
    package var host: [UInt8]
    /// As it was sent, query included.
    package var target: [UInt8]
    package var isHTTP10: Bool
    /// Of the body, as received.
    package var requestBytes: UInt64 = 0
    /// What the client was answered; 499 where it went before that.
    package var status = 0
    /// Whether the status is the backend's own.
    package var isBackendStatus = false
    /// Of the body, as sent.
    package var responseBytes: UInt64 = 0
    package var provenance: Provenance?
    package var fingerprint: Fingerprint?
    /// Of the session's binding; nil without a session, and where the exchange was only detoured.
    package var epoch: UInt32?
    /// Connections and sendings beyond the first.
    package var retries = 0
    /// Nanoseconds from the head of the request to the end of the exchange.
    package var duration: Int64 = 0
    /// Nanoseconds from sending the request to the response head; nil where none came.
    package var backendDuration: Int64?
}
