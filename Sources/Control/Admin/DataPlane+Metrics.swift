import Affinity
import Proxy
import Store
import TLS

extension DataPlane: MetricsSource {
    package func snapshot() async -> MetricsSnapshot {
        let counters = await measure()
        var snapshot = MetricsSnapshot()
        snapshot.requests = counters.requests
        for worker in counters.workers {
            snapshot.refusals.merge(worker.refused, uniquingKeysWith: &+)
            snapshot.oversizedSessionKeys &+= worker.oversizedSessionKeys
            snapshot.keysLearntElsewhere &+= worker.keysLearntElsewhere
            snapshot.handshakes.add(worker.handshakes)
            snapshot.http2.add(worker.http2)
            snapshot.patternsOverLimit &+= worker.patternsOverLimit
            for (name, open) in zip(entryPointNames, worker.clientConnections) {
                snapshot.openConnections[name, default: 0] += open
            }
        }
        counters.addFailures(to: &snapshot)
        for certificate in certificates { snapshot.certificateEnds[.init(certificate)] = Double(certificate.notAfter) }
        snapshot.openTunnels = counters.workers.map(\.openTunnels).reduce(0, +)
        snapshot.requestsInFlight = counters.workers.map(\.requestsInFlight).reduce(0, +)
        for service in counters.services {
            for (index, (backend, member)) in zip(service.backends, service.membership.backends).enumerated() {
                let key = MetricsSnapshot.Backend(service: service.name, name: backend.name)
                let causes = service.causes(against: member.hash)
                snapshot.backendsUp[key] = causes.isUp
                snapshot.backendCauses[key] = causes
                snapshot.healthChecks[key] = service.checkCounts(of: member.hash).map { counts in
                    Dictionary(uniqueKeysWithValues: CheckCounts.Outcome.allCases.map { ($0, counts[$0]) })
                }
                if service.limits.pool.maxRequests != nil {
                    snapshot.backendCapacities[key] = service.health.backends[index].capacity.counts
                }
                snapshot.backendRequestsInFlight[key] = counters.workers
                    .map { $0.backendRequestsInFlight[service.name]?[backend.name] ?? 0 }.reduce(0, +)
            }
        }
        snapshot.cache = counters.cacheMeasures(capacity: cacheCapacity)
        snapshot.droppedAccessLogLines = droppedLogLines()
        if hasSharedStore { counters.addStore(to: &snapshot) }
        if let fleetStatus = await fleetStatus() {
            snapshot.primary = .init(
                address: fleetStatus.primary, isFailoverGuarded: fleetStatus.isFailoverGuarded,
                sentinels: (fleetStatus.sentinels).map(FleetView.Sentinels.init),
                changes: fleetStatus.sentinels?.switches ?? 0)
            snapshot.channel = .init(
                isLive: fleetStatus.lease == .live, generations: fleetStatus.generations, messages: fleetStatus.moves)
            snapshot.standby = .init(
                isSynced: fleetStatus.standby == .synced, counters: fleetStatus.standbyCounters)
        }
        let fleet = await fleet()
        snapshot.fleet = .init(replicas: fleet.replicas.count, configurations: fleet.configurationCount)
        return snapshot
    }
}

extension DataPlaneCounters {
    fileprivate var requests: [MetricsSnapshot.RequestKind: UInt64] {
        var requests: [MetricsSnapshot.RequestKind: UInt64] = [:]
        for worker in workers {
            for (service, counters) in worker.services {
                counters.forEach { provenance, status, count in
                    let kind = MetricsSnapshot.RequestKind(
                        service: service, status: status, provenance: provenance)
                    requests[kind, default: 0] &+= count
                }
            }
        }
        return requests
    }

    fileprivate func addFailures(to snapshot: inout MetricsSnapshot) {
        for worker in workers {
            for (service, counters) in worker.services {
                snapshot.failures[service, default: [:]].merge(counters.failures, uniquingKeysWith: &+)
                snapshot.tunnels[service, default: TunnelCounters()].add(counters.tunnels)
                snapshot.retries[service, default: RetryCounters()].add(counters.retries)
            }
            for (service, backends) in worker.backendFailures {
                for (name, failures) in backends {
                    snapshot.backendFailures[.init(service: service, name: name), default: [:]]
                        .merge(failures, uniquingKeysWith: &+)
                }
            }
        }
    }

    /// A hit is a decision that the cache made alone. A miss is a decision about a known session that the cache could
    /// not make.
    fileprivate func cacheMeasures(capacity: Int) -> MetricsSnapshot.Cache {
        var hits: UInt64 = 0
        var misses: UInt64 = 0
        for (kind, count) in requests {
            switch kind.provenance {
            case .cached: hits &+= count
            case .stored, .claimed, .rebound, .hinted, .hashed, .detoured: misses &+= count
            case .placed, .balanced, nil: break
            }
        }
        return MetricsSnapshot.Cache(entries: cache, capacity: capacity, hits: hits, misses: misses)
    }

    fileprivate func addStore(to snapshot: inout MetricsSnapshot) {
        snapshot.storeIsAvailable = storesInUse == stores.count
        snapshot.storeLoops = storesInUse
        var counts = [UInt64](repeating: 0, count: LatencyHistogram.bounds.count + 1)
        var sum: UInt64 = 0
        for store in stores {
            for failure in StoreFailure.allCases {
                snapshot.storeFailures[failure, default: 0] &+= store.failures(failure)
            }
            for (index, count) in store.latency.counts.enumerated() { counts[index] &+= count }
            sum &+= store.latency.sum
        }
        snapshot.storeLatency = MetricsSnapshot.Histogram(
            upperBounds: LatencyHistogram.bounds.map { Double($0) / 1e6 }, counts: counts, sum: Double(sum) / 1e6)
    }
}
