import Proxy

/// Writes finished exchanges to the access log, with session keys in query strings redacted.
struct ExchangeLogWriter: ExchangeLog {
    let log: AccessLog
    let redaction: LiveRedaction

    func append(_ record: ExchangeLogEntry) {
        record.method.withUnsafeBytes { method in
            record.host.withUnsafeBytes { host in
                record.target.withUnsafeBytes { target in
                    var line = AccessLogEntry(record)
                    (line.method, line.host, line.target) = (method, host, target)
                    log.append(line.line(redacting: redaction.value))
                }
            }
        }
    }
}

extension AccessLogEntry {
    /// Copies everything but the slices.
    fileprivate init(_ record: ExchangeLogEntry) {
        self.init(
            time: .now, entryPoint: record.entryPoint, clientHost: record.clientAddress, status: record.status)
        durationNanoseconds = record.duration
        originDurationNanoseconds = record.backendDuration
        router = record.router
        service = record.service
        backend = record.backend?.name
        backendAddress = record.backend?.address
        clientPort = record.clientPort
        version = record.version
        requestByteCount = record.requestBytes
        originStatus = record.isBackendStatus ? record.status : nil
        responseByteCount = record.responseBytes
        retryCount = record.retries
        provenance = record.provenance
        fingerprint = record.fingerprint
        epoch = record.epoch
        cause = record.cause
        failedAttempt = record.failedAttempt
        tls = record.tls
    }
}
