/// What is known of a connection's TLS once its handshake is complete. Nothing in it changes afterwards.
package struct TLSConnectionInfo: Sendable {
    package let version: TLSOptions.Version
    /// The name of the cipher suite in the IANA registry.
    package let suite: String
    /// The name that the client asked for, normalized.
    package let serverName: String?
    /// Whether the client resumed an earlier session.
    package let isResumed: Bool
    /// Whether client and replica have agreed on HTTP/2 (RFC 7301; RFC 9113, section 3.2).
    package let isHTTP2: Bool
    /// The options under which the client was accepted.
    let options: TLSOptions
    /// Nil if the client has shown none.
    let clientCertificate: ClientCertificate?
}

/// Why a TLS connection did not come about. A closed list: the raw value is the label in metrics.
package enum HandshakeFailure: String, CaseIterable, Sendable {
    /// The client did not finish its handshake in time.
    case timeout
    /// The client went away.
    case closed
    /// The source has too many unfinished handshakes.
    case limit
    /// What the client sent is not a ClientHello, or one that is too long.
    case malformed
    /// A greeting of SSLv2.
    case sslv2
    /// No certificate covers the name.
    case unrecognizedName = "unrecognized_name"
    /// The client offers no version that is served.
    case version = "protocol_version"
    /// The client offers no cipher suite, curve or signature that is served.
    case parameters = "no_common_parameters"
    /// The client's certificate is missing, or is not accepted.
    case clientCertificate = "client_certificate"
    /// The client sent an alert: it does not accept the certificate, for one.
    case refusedByClient = "refused_by_client"
    case other

    /// What the alerts of a failed handshake say (RFC 8446, section 6.2).
    ///
    /// - Parameters:
    ///   - received: nil: none.
    ///   - isClosed: the connection ended.
    init(received: Int?, sent: Int?, isClosed: Bool) {
        switch (received, sent) {
        // OpenSSL's clients refuse a certificate by an alert that is not encrypted: it cannot be decrypted (20).
        case (.some, _), (nil, 20?): self = .refusedByClient
        case (nil, 70): self = .version
        case (nil, 42?), (nil, 43?), (nil, 44?), (nil, 45?), (nil, 46?), (nil, 48?), (nil, 49?), (nil, 51?),
            (nil, 116?):
            self = .clientCertificate
        case (nil, 40?), (nil, 47?), (nil, 71?): self = .parameters
        case (nil, 10?), (nil, 22?), (nil, 50?), (nil, 109?): self = .malformed
        case (nil, .some): self = .other
        case (nil, nil): self = isClosed ? .closed : .other
        }
    }
}

/// The handshakes of one event loop.
package struct HandshakeCounters: Equatable, Sendable {
    /// What the handshakes of one count have in common.
    package struct Kind: Hashable, Sendable {
        package let version: TLSOptions.Version
        package let suite: String
        package let isResumed: Bool

        package init(version: TLSOptions.Version, suite: String, isResumed: Bool) {
            self.version = version
            self.suite = suite
            self.isResumed = isResumed
        }
    }

    package private(set) var completed: [Kind: UInt64] = [:]
    package private(set) var failed: [HandshakeFailure: UInt64] = [:]

    package init(completed: [Kind: UInt64] = [:], failed: [HandshakeFailure: UInt64] = [:]) {
        self.completed = completed
        self.failed = failed
    }

    mutating func completed(_ info: TLSConnectionInfo) {
        let kind = Kind(version: info.version, suite: info.suite, isResumed: info.isResumed)
        completed[kind, default: 0] &+= 1
    }

    mutating func failed(_ reason: HandshakeFailure) { failed[reason, default: 0] &+= 1 }

    package mutating func add(_ other: HandshakeCounters) {
        completed.merge(other.completed, uniquingKeysWith: &+)
        failed.merge(other.failed, uniquingKeysWith: &+)
    }
}
