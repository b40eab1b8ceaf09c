import Affinity
package import Configuration
import NIOCore
import Proxy
import Synchronization

extension DataPlane {
    /// Serves by another configuration of routers and services from now on. Sessions, connections, counters and what is
    /// known of the health of backends survive; requests under way finish where they are. Of changes that are asked for
    /// at the same time one is carried out after the other; when this returns, every event loop serves by it.
    ///
    /// Only routers, services and what belongs to them are changed: the caller sees to it that entry points, the admin
    /// listener, the store, the fleet and the replica are set as they were.
    ///
    /// - Throws: where it cannot be served; then nothing has changed.
    package func apply(_ configuration: Configuration) async throws(SnapshotDiagnostic) {
        let change = lastChange.withLock { last in
            let previous = last
            let change = Task { () -> Result<Void, SnapshotDiagnostic> in
                _ = await previous?.value
                return await self.swap(to: configuration)
            }
            last = change
            return change
        }
        try await change.value.get()
    }

    private func swap(to configuration: Configuration) async -> Result<Void, SnapshotDiagnostic> {
        let old = current.withLock { $0 }
        let snapshot: Snapshot
        do {
            snapshot = try Snapshot(configuration, keys: keys, succeeding: old.snapshot)
        } catch {
            return .failure(error)
        }
        let fingerprint = ConfigurationFingerprint(configuration, keys: keys)
        // Before the first request whose session key it hides.
        redaction.add(configuration.http.services)
        coherence.setReconfiguring(true)
        defer { coherence.setReconfiguring(false) }
        // Health first: whether a session may be moved off a backend that is gone depends on what the judge says.
        try? await prober?.eventLoop.submit { [prober, fleetMember] in
            prober?.value.reconfigured(snapshot)
            fleetMember?.value.reconfigured(snapshot, fingerprint)
        }.get()
        for plane in loops { try? await plane.loop.submit { plane.worker.value.apply(snapshot) }.get() }
        current.withLock { $0 = Current(configuration: configuration, snapshot: snapshot, fingerprint: fingerprint) }
        // Held until now, so that no event loop has to take it apart.
        withExtendedLifetime(old) {}
        return .success(())
    }
}
