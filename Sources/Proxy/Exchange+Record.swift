import Affinity
import HTTPWire
import NIOCore

/// What the exchange log is told. Gathered only where there is one.
extension Exchange {
    func beginRecord(_ request: RequestView, _ client: ClientHandler) {
        guard worker.exchangeLog != nil else { return }
        let (head, bytes) = (request.head, request.bytes)
        began = .now()
        record = ExchangeRecord(
            entryPoint: client.entryPoint.name, clientAddress: request.client.address,
            clientPort: request.client.port, method: Array(bytes[head.methodRange]),
            host: head.host.map { Array(bytes[$0]) } ?? [], target: Array(bytes[head.target]),
            isHTTP10: head.version == .http10)
    }

    func recordResponseHead() {
        guard record != nil else { return }
        record?.isBackendStatus = true
        record?.backendDuration = (NIODeadline.now() - sent).nanoseconds
    }

    /// The record as it stands at the end.
    func finishedRecord() -> ExchangeRecord? {
        guard var record else { return nil }
        record.status = status
        record.duration = (NIODeadline.now() - began).nanoseconds
        record.provenance = route?.provenance
        record.epoch = route.flatMap(Self.epoch)
        if let service {
            record.service = service.description.name
            if service.sticky != nil { record.fingerprint = sessionFingerprint }
            if let backend = pool?.backend { record.backend = (backend.name, backend.authority) }
        }
        return record
    }

    private static func epoch(of route: Route) -> UInt32? {
        switch route.provenance {
        case .balanced, .detoured: nil
        case .cached, .stored, .claimed, .rebound, .hinted, .hashed, .placed: route.binding.epoch
        }
    }

    /// Nil where the request has no session.
    private var sessionFingerprint: Fingerprint? {
        route?.provenance == .balanced ? nil : decision.fingerprint
    }
}
