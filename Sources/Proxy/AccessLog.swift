package import Affinity

/// Where finished exchanges are told. Must not block: it is called on the event loops.
package protocol AccessLog: Sendable {
    func append(_ record: AccessRecord)
}

/// One finished exchange. Holds no cookie, no session key and no credential but those a client wrote into the target,
/// which the log redacts by ``redactedParameters``.
package struct AccessRecord: Sendable {
    package var clientAddress: String
    package var clientPort: Int
    package var entryPoint: String
    package var service: String?
    package var backend: String?
    /// `host:port` of the backend.
    package var backendAddress: String?
    package var method: [UInt8]
    package var target: [UInt8]
    package var host: [UInt8]
    package var userAgent: [UInt8]
    package var version: String
    package var status: Int
    package var provenance: Provenance?
    package var fingerprint: Fingerprint?
    package var requestBytes: UInt64
    package var responseBytes: UInt64
    /// Nanoseconds from the request's head to the end of the exchange.
    package var duration: Int64
    /// Nanoseconds until the response head came, 0 where none did.
    package var backendDuration: Int64
    package var retries: Int
    /// Query parameters whose values are session keys.
    package var redactedParameters: [String]
}
