import Affinity
import Configuration
import Proxy
import Store

extension DataPlane: FleetSource {
    package func fleet() async -> FleetView {
        let counters = await measure()
        let fleetStatus = await fleetStatus()
        let own = FleetView.Replica(
            name: replicaName, instance: instance.hexadecimal, version: Version.current,
            configuration: fingerprint.description, lease: fleetStatus.map { FleetView.Lease($0.lease) } ?? .none,
            standby: StandbyView(fleetStatus?.standby), isSelf: true, heard: 0, down: counters.backendsDown)
        let names = BackendNames(counters.services, keys: keys)
        let now = Instant.now
        let others = fleetStatus?.others.map { FleetView.Replica($0, names: names, now: now) } ?? []
        return FleetView(
            replicas: [own] + others.sorted { ($0.name, $0.instance) < ($1.name, $1.instance) },
            store: hasSharedStore
                ? FleetView.Store(
                    isAvailable: counters.storesInUse == counters.stores.count,
                    isFailoverGuarded: fleetStatus?.isFailoverGuarded, primary: fleetStatus?.primary,
                    sentinels: (fleetStatus?.sentinels).map(FleetView.Sentinels.init)) : nil)
    }
}

extension FleetView.Replica {
    fileprivate init(_ member: FleetRoster.Member, names: BackendNames, now: Instant) {
        self.init(
            name: member.sender.name, instance: member.sender.instance.hexadecimal,
            version: StandbyStatus.parted(member.sender.version).version,
            configuration: member.sender.configuration.hexadecimal,
            lease: FleetView.Lease(member.lease), standby: StandbyView(member.standby), isSelf: false,
            heard: Double(max(0, now.milliseconds(since: member.receivedAt))) / 1000,
            down: member.down.map { names.name(of: $0) }.sorted())
    }
}

extension FleetView.Sentinels {
    init(_ status: SentinelMonitor.Status) {
        self.init(configured: status.configured, answering: status.heard, agree: status.isAgreed)
    }
}

extension FleetView.Lease {
    fileprivate init(_ lease: FleetMessage.Lease) {
        switch lease {
        case .live: self = .live
        case .doubt: self = .doubt
        case .proving: self = .proving
        case .lost, .left: self = .down
        }
    }
}

/// Resolves the hashes that replicas exchange to backend names.
private struct BackendNames {
    private var names: [FleetBackend: String] = [:]

    init(_ services: [Proxy.Service], keys: FleetKeys) {
        for service in services {
            let hash = ServiceHash.of(name: service.name, key: keys.fingerprint)
            for (backend, member) in zip(service.backends, service.membership.backends) {
                names[FleetBackend(service: hash, backend: member.hash)] = "\(service.name)/\(backend.name)"
            }
        }
    }

    /// A replica with another configuration may report a backend that is unknown here.
    func name(of down: FleetBackend) -> String { names[down] ?? "?/?" }
}

extension DataPlaneCounters {
    /// Each as `service/backend`.
    fileprivate var backendsDown: [String] {
        services.flatMap { service in
            service.membership.backends.prefix(service.backends.count)
                .filter { !service.causes(against: $0.hash).isUp }.map { "\(service.name)/\($0.name)" }
        }
    }
}
