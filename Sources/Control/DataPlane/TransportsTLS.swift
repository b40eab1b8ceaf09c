import Configuration
import Proxy

/// TLS toward the backends of a snapshot: services with the same transport share it, and one that has not changed is
/// kept from the snapshot before.
struct TransportsTLS {
    private var known: [BackendTLS]

    init(of old: Snapshot?) {
        known = []
        for backend in old?.services.flatMap(\.backends) ?? [] {
            if let tls = backend.tls, !known.contains(where: { $0 === tls }) { known.append(tls) }
        }
    }

    /// Nil if neither a backend of the service nor its health check has TLS.
    mutating func tls(of service: ServiceSettings) throws(SnapshotDiagnostic) -> BackendTLS? {
        let isNeeded = service.backends.contains(where: \.isSecure) || service.healthCheck?.isSecure ?? false
        guard isNeeded else { return nil }
        let settings = service.transport.tls
        if let tls = known.first(where: { $0.settings == settings }) { return tls }
        do {
            let tls = try BackendTLS(settings)
            known.append(tls)
            return tls
        } catch {
            throw SnapshotDiagnostic(description: "service \"\(service.name)\": TLS to its servers: \(error)")
        }
    }
}
