import Affinity
import HTTPWire
import NIOCore

/// Collects the log entry of one exchange while it runs. An object, because an exchange that is not logged should hold
/// no more than a reference to nothing.
final class ExchangeLogEntryBuilder {
    private var record: ExchangeLogEntry
    private let began = NIODeadline.now()
    private var sent = NIODeadline.distantPast

    init(_ request: RequestView) {
        let (head, bytes, client) = (request.head, request.bytes, request.client)
        record = ExchangeLogEntry(
            entryPoint: client.entryPoint.name, clientAddress: client.address, clientPort: client.port,
            method: Array(bytes[head.methodRange]), host: head.host.map { Array(bytes[$0]) } ?? [],
            target: Array(bytes[head.target]),
            version: client.isHTTP2 ? .http2 : head.version == .http10 ? .http10 : .http11)
        record.tls = client.tls
    }

    /// The request's head has been sent to a backend.
    func requestSent() { sent = .now() }

    func attemptFailed(_ cause: Cause) { record.failedAttempt = cause }

    func triedAgain() { record.retries += 1 }

    func received(requestBody count: Int) { record.requestBytes &+= UInt64(count) }

    func responseHeadCame() {
        record.isBackendStatus = true
        record.backendDuration = (NIODeadline.now() - sent).nanoseconds
    }

    func sent(responseBody count: Int) { record.responseBytes &+= UInt64(count) }

    /// What a tunnel passed counts as the bodies of request and response.
    func tunnelEnded(bytesFromClient: UInt64, bytesFromBackend: UInt64) {
        record.requestBytes &+= bytesFromClient
        record.responseBytes &+= bytesFromBackend
    }

    /// The completed entry.
    func finished(
        status: Int, _ router: RouterPlan?, _ choice: borrowing BackendChoice, _ cause: Cause?
    ) -> ExchangeLogEntry {
        var record = record
        record.cause = cause
        record.router = router?.name
        record.status = status
        record.duration = (NIODeadline.now() - began).nanoseconds
        record.provenance = choice.route?.provenance
        record.epoch = choice.route.flatMap(Self.epoch)
        record.service = choice.service?.description.name
        record.fingerprint = choice.fingerprint
        if choice.service != nil, let backend = choice.pool?.backend {
            record.backend = (backend.name, backend.authority)
        }
        return record
    }

    private static func epoch(of route: Route) -> UInt32? {
        switch route.provenance {
        case .balanced, .detoured: nil
        case .cached, .stored, .claimed, .rebound, .hinted, .hashed, .placed: route.binding.epoch
        }
    }
}

@available(*, unavailable)
extension ExchangeLogEntryBuilder: Sendable {}
