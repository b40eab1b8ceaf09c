import Affinity
import Proxy

extension DataPlane: FleetSource {
    /// This replica alone: it knows of no other.
    package func fleet() async -> FleetView {
        let counters = await measure()
        let isAvailable = counters.storesInUse > 0
        let own = FleetView.Replica(
            name: replicaName, instance: instance, version: Version.current, configuration: fingerprint.description,
            lease: hasSharedStore && !isAvailable ? .down : .none, isSelf: true, heard: 0, down: counters.backendsDown)
        return FleetView(
            replicas: [own],
            store: hasSharedStore ? FleetView.Store(isAvailable: isAvailable, isFailoverGuarded: nil) : nil)
    }
}

extension DataPlaneCounters {
    /// As `service/backend`.
    fileprivate var backendsDown: [String] {
        services.flatMap { service in
            service.backends.enumerated().filter { !service.health.isUp($0.offset) }
                .map { "\(service.name)/\($0.element.name)" }
        }
    }
}
