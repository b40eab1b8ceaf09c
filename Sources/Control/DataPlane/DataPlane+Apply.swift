import Affinity
package import Configuration
import NIOCore
import Proxy
import Synchronization

extension DataPlane {
    /// Replaces the configuration of routers and services. Sessions, connections, counters and the known health of
    /// backends survive; requests under way finish on their backends. Concurrent calls are applied one after another.
    /// On return, every event loop uses the new configuration.
    ///
    /// Only routers, services and what belongs to them are replaced. The caller ensures that entry points, the admin
    /// listener, the store, the fleet and the replica are unchanged.
    ///
    /// - Throws: if the configuration cannot be served; nothing has changed then.
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
        // Must precede the first request whose session key it hides.
        redaction.add(configuration.http.services)
        coherence.setReconfiguring(true)
        defer { coherence.setReconfiguring(false) }
        // Health first: whether a session may be moved off a removed backend depends on the health monitor's verdict.
        try? await prober?.eventLoop.submit { [prober, fleetMember] in
            prober?.value.reconfigured(snapshot)
            fleetMember?.value.reconfigured(snapshot, fingerprint)
        }.get()
        for plane in loops { try? await plane.loop.submit { plane.worker.value.apply(snapshot) }.get() }
        current.withLock { $0 = Current(configuration: configuration, snapshot: snapshot, fingerprint: fingerprint) }
        // Kept alive until now, so that no event loop has to deallocate it.
        withExtendedLifetime(old) {}
        return .success(())
    }
}
