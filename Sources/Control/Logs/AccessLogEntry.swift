package import Affinity
package import Proxy

/// What the access log records about one exchange. The slices need to be valid only while the entry is rendered. It has
/// no fields for cookies, credentials or session keys.
package struct AccessLogEntry {
    /// The moment at which the exchange ended.
    package var time: WallTime
    package var durationNanoseconds: Int64
    /// From sending the request to the backend until its response head arrives; nil if no backend was reached.
    package var originDurationNanoseconds: Int64?
    package var entryPoint: String
    package var router: String?
    package var service: String?
    package var backend: String?
    /// The backend's `host:port`.
    package var backendAddress: String?
    /// The client as far as it is known: behind a trusted proxy, the client that the proxy reports.
    package var clientHost: String
    package var clientPort: Int?
    package var method: UnsafeRawBufferPointer
    package var host: UnsafeRawBufferPointer
    /// As received, query included.
    package var target: UnsafeRawBufferPointer
    package var version: ExchangeLogEntry.Version
    /// Nil: the client's connection has no TLS.
    package var tls: TLSConnectionInfo?
    /// The size of the body, as received.
    package var requestByteCount: UInt64
    /// Nil if the backend sent none.
    package var originStatus: Int?
    package var status: Int
    /// The size of the body, as sent.
    package var responseByteCount: UInt64
    package var retryCount: Int
    /// Why Limpet answered itself, or what ended the exchange; nil if the backend's response was sent completely.
    package var cause: Cause?
    /// Why the last attempt at a backend failed; nil if none has.
    package var failedAttempt: Cause?
    package var provenance: Provenance?
    package var fingerprint: Fingerprint?
    /// The epoch of the session's binding; nil without a session, and if the request was only detoured.
    package var epoch: UInt32?

    /// An empty entry.
    package init(time: WallTime, entryPoint: String, clientHost: String, status: Int) {
        self.time = time
        self.entryPoint = entryPoint
        self.clientHost = clientHost
        self.status = status
        durationNanoseconds = 0
        method = UnsafeRawBufferPointer(start: nil, count: 0)
        host = method
        target = method
        version = .http11
        requestByteCount = 0
        responseByteCount = 0
        retryCount = 0
    }

    /// How many characters of a fingerprint are logged: enough to follow a session, too few to look it up in the store.
    private static let fingerprintLength = 10

    /// One line of JSON with Traefik's keys, and Limpet's own `Backend`, `Provenance`, `SessionFingerprint`, `Epoch`,
    /// `Reason`, `ReasonDetail`, `FailedAttempt`, `FailedAttemptDetail`, `TLSServerName` and
    /// `TLSResumed`. Unknown values are left out.
    ///
    /// - Parameter redacting: the query parameters whose values are session keys.
    package func line(redacting parameters: QueryRedaction) -> [UInt8] {
        var line = JSONLine()
        line.add("time", time.text)
        line.add("Duration", durationNanoseconds)
        if let originDurationNanoseconds {
            line.add("OriginDuration", originDurationNanoseconds)
            line.add("Overhead", durationNanoseconds &- originDurationNanoseconds)
        }
        addRoute(to: &line)
        addRequest(to: &line, parameters)
        if let originStatus { line.add("OriginStatus", originStatus) }
        line.add("DownstreamStatus", status)
        line.add("DownstreamContentSize", responseByteCount)
        if retryCount > 0 { line.add("RetryAttempts", retryCount) }
        if let failedAttempt { Self.add(failedAttempt, "FailedAttempt", "FailedAttemptDetail", to: &line) }
        if let cause { Self.add(cause, "Reason", "ReasonDetail", to: &line) }
        if let provenance { line.add("Provenance", provenance.rawValue) }
        if let fingerprint { line.add("SessionFingerprint", String(fingerprint.text.prefix(Self.fingerprintLength))) }
        if let epoch { line.add("Epoch", epoch) }
        line.close()
        return line.bytes
    }

    private static func add(_ cause: Cause, _ key: String, _ detailKey: String, to line: inout JSONLine) {
        line.add(key, cause.reason.rawValue)
        if let detail = cause.detail { line.add(detailKey, detail) }
    }

    private func addRoute(to line: inout JSONLine) {
        line.add("entryPointName", entryPoint)
        if let router { line.add("RouterName", router) }
        if let service { line.add("ServiceName", service) }
        if let backend { line.add("Backend", backend) }
        if let backendAddress { line.add("ServiceAddr", backendAddress) }
    }

    /// Version and suite as Traefik writes them.
    private static func add(_ tls: TLSConnectionInfo, to line: inout JSONLine) {
        line.add("TLSVersion", tls.version == .tls13 ? "1.3" : "1.2")
        line.add("TLSCipher", tls.suite)
        if let serverName = tls.serverName { line.add("TLSServerName", serverName) }
        line.add("TLSResumed", tls.isResumed ? 1 : 0)
    }

    private func addRequest(to line: inout JSONLine, _ parameters: QueryRedaction) {
        line.add("ClientHost", clientHost)
        if let clientPort { line.add("ClientPort", String(clientPort)) }
        if let tls { Self.add(tls, to: &line) }
        // A head that was refused has no method and no target that could be trusted.
        guard !method.isEmpty else { return }
        line.add("RequestMethod", method)
        line.add("RequestHost", host)
        parameters.redact(target).withUnsafeBytes { line.add("RequestPath", $0) }
        line.add("RequestProtocol", version.rawValue)
        line.add("RequestContentSize", requestByteCount)
    }
}
