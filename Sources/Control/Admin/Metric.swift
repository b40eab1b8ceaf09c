import Affinity
import Configuration
import HTTP2Wire
import Proxy

/// Every metric: its name, its kind and its meaning. Names contain the units.
enum Metric: String, CaseIterable {
    case info = "limpet_info"
    case requests = "limpet_requests_total"
    case refusals = "limpet_requests_refused_total"
    case failures = "limpet_requests_failed_total"
    case backendFailures = "limpet_backend_failures_total"
    case retries = "limpet_retries_total"
    case retriesOverBudget = "limpet_retries_over_budget_total"
    case fallbacks = "limpet_fallback_requests_total"
    case openTunnels = "limpet_open_tunnels"
    case tunnels = "limpet_tunnels_total"
    case tunnelBytes = "limpet_tunnel_bytes_total"
    case openConnections = "limpet_open_connections"
    case http2Connections = "limpet_http2_connections_total"
    case http2Requests = "limpet_http2_requests_total"
    case http2Floods = "limpet_http2_floods_total"
    case handshakes = "limpet_tls_handshakes_total"
    case handshakeFailures = "limpet_tls_handshake_failures_total"
    case adminHandshakeFailures = "limpet_admin_tls_handshake_failures_total"
    case certificateEnd = "limpet_tls_certificate_not_after_timestamp_seconds"
    case requestsInFlight = "limpet_requests_in_flight"
    case backendRequestsInFlight = "limpet_backend_requests_in_flight"
    case backendRequestsWaiting = "limpet_backend_requests_waiting"
    case backendWaits = "limpet_backend_waits_total"
    case backendQueueFull = "limpet_backend_queue_full_total"
    case healthChecks = "limpet_health_checks_total"
    case backendDown = "limpet_backend_down"
    case backendUp = "limpet_backend_up"
    case cacheEntries = "limpet_cache_entries"
    case cacheCapacity = "limpet_cache_capacity_entries"
    case cacheHits = "limpet_cache_hits_total"
    case cacheMisses = "limpet_cache_misses_total"
    case storeAvailable = "limpet_store_available"
    case storeLoops = "limpet_store_loops"
    case storeLatency = "limpet_store_latency_seconds"
    case storeFailures = "limpet_store_failures_total"
    case storePrimary = "limpet_store_primary_info"
    case storeGuarded = "limpet_store_failover_guarded"
    case sentinels = "limpet_sentinels"
    case sentinelsAnswering = "limpet_sentinels_answering"
    case sentinelsAgree = "limpet_sentinels_agree"
    case primaryChanges = "limpet_store_primary_changes_total"
    case channelLive = "limpet_channel_live"
    case channelGenerations = "limpet_channel_generations_total"
    case channelMessages = "limpet_channel_messages_total"
    case standbySynced = "limpet_standby_synced"
    case standbyScans = "limpet_standby_scans_total"
    case standbyScannedRecords = "limpet_standby_scanned_records_total"
    case announcementsSent = "limpet_announcements_sent_total"
    case announcedRecords = "limpet_announced_records_total"
    case announcementGaps = "limpet_announcement_gaps_total"
    case refills = "limpet_refills_total"
    case refillOffers = "limpet_refill_offers_total"
    case fleetReplicas = "limpet_fleet_replicas"
    case fleetConfigurations = "limpet_fleet_configurations"
    case configReloads = "limpet_config_reloads_total"
    case configLastReloadSuccess = "limpet_config_last_reload_success"
    case configLastSuccess = "limpet_config_last_reload_success_timestamp_seconds"
    case providerUp = "limpet_provider_up"
    case oversizedSessionKeys = "limpet_oversized_session_keys_total"
    case keysLearntElsewhere = "limpet_session_keys_learnt_elsewhere_total"
    case patternsOverLimit = "limpet_rule_pattern_limit_total"
    case accessLogDropped = "limpet_access_log_dropped_lines_total"
    case cpu = "process_cpu_seconds_total"
    case residentMemory = "process_resident_memory_bytes"
    case startTime = "process_start_time_seconds"
    case openDescriptors = "process_open_fds"
    case maxDescriptors = "process_max_fds"

    enum Kind: String {
        case counter, gauge, histogram
    }

    var kind: Kind {
        switch self {
        case .storeLatency: .histogram
        case .requests, .refusals, .failures, .backendFailures, .retries, .retriesOverBudget, .fallbacks, .tunnels,
            .tunnelBytes, .healthChecks, .cacheHits, .cacheMisses, .storeFailures, .channelGenerations,
            .channelMessages,
            .oversizedSessionKeys, .keysLearntElsewhere, .patternsOverLimit, .accessLogDropped, .cpu, .configReloads,
            .standbyScans, .standbyScannedRecords, .announcementsSent, .announcedRecords, .announcementGaps, .refills,
            .refillOffers, .backendWaits, .backendQueueFull, .http2Connections, .http2Requests, .http2Floods,
            .handshakes, .handshakeFailures, .adminHandshakeFailures, .primaryChanges:
            .counter
        case .info, .openConnections, .certificateEnd, .openTunnels, .requestsInFlight, .backendRequestsInFlight,
            .backendRequestsWaiting, .backendUp, .backendDown,
            .cacheEntries,
            .cacheCapacity, .storeAvailable, .storeLoops, .storePrimary, .storeGuarded, .sentinels,
            .sentinelsAnswering, .sentinelsAgree,
            .channelLive, .standbySynced, .configLastReloadSuccess, .configLastSuccess, .providerUp,
            .fleetReplicas, .fleetConfigurations, .residentMemory, .startTime, .openDescriptors, .maxDescriptors:
            .gauge
        }
    }

    var help: String {
        switch self {
        case .info: "Always 1; the labels name the replica and its version."
        case .requests: "Requests answered by a service, by status and by why they went to their backend."
        case .refusals: "Requests rejected before they reached a service."
        case .failures: "Requests of a service that were answered by Limpet, cut, or left by their client, by reason."
        case .backendFailures: "Failed attempts at a backend and incomplete responses of it, by reason."
        case .retries: "Requests that were sent again, by the reason why the attempt before had failed."
        case .retriesOverBudget: "Requests that were not sent again because the budget for it was used up."
        case .fallbacks: "Requests that the fallback of the service got."
        case .openTunnels: "Open tunnels: pairs of connections that carry WebSocket or another protocol."
        case .tunnels: "Tunnels that have ended, by reason."
        case .tunnelBytes: "Bytes passed by tunnels that have ended, by the side that sent them."
        case .openConnections: "Open client connections."
        case .http2Connections: "HTTP/2 connections that clients have opened."
        case .http2Requests: "Requests that arrived over HTTP/2."
        case .http2Floods: "HTTP/2 connections that were closed because the client flooded them, by kind."
        case .handshakes: "TLS handshakes with clients that were completed."
        case .handshakeFailures: "TLS handshakes with clients that failed, by reason."
        case .adminHandshakeFailures: "TLS handshakes with the admin listener that failed, by reason."
        case .certificateEnd: "When a certificate expires, in seconds since 1970."
        case .requestsInFlight: "Requests received whose responses are not yet complete."
        case .backendRequestsInFlight: "Requests in flight to the backend."
        case .backendRequestsWaiting: "Requests that wait because the backend is at its limit."
        case .backendWaits: "Requests that had to wait because the backend was at its limit."
        case .backendQueueFull:
            "Requests that went elsewhere or were refused because the queue of the backend was full."
        case .backendUp: "1 while the backend is considered up, 0 while it is down."
        case .backendDown: "1 while the backend is down for this cause."
        case .healthChecks: "Health checks of the backend, by outcome."
        case .cacheEntries: "Bindings in the local cache, by kind."
        case .cacheCapacity: "Capacity of the local cache, in bindings."
        case .cacheHits: "Decisions made by the local cache alone."
        case .cacheMisses: "Decisions that needed more than the local cache."
        case .storeAvailable: "1 while all event loops use the store, 0 while some or all decide without it."
        case .storeLoops: "Event loops that use the store; the others decide without it."
        case .storeLatency: "Time from a store command to its reply."
        case .storeFailures: "Store commands that failed, by kind."
        case .storePrimary: "Always 1; the label names the primary of the store."
        case .storeGuarded:
            "1 if Redis needs all of its replicas for a write, so that a failover loses no move of a session."
        case .sentinels: "Configured Sentinels."
        case .sentinelsAnswering: "Sentinels that named a primary when they were last asked."
        case .sentinelsAgree: "1 if a majority of the configured Sentinels last named the same primary."
        case .primaryChanges: "How often the Sentinels have named another primary, the first included."
        case .channelLive:
            "1 while rebind notifications are received, so that the cache may be used without asking the store."
        case .channelGenerations: "How often the whole cache became suspect."
        case .channelMessages: "Rebind notifications received from the store."
        case .standbySynced: "1 while this replica knows every session, so that losing the store moves none."
        case .standbyScans: "Full scans of the store that ended."
        case .standbyScannedRecords: "Records met by scans of the store."
        case .announcementsSent: "Announcements of written records sent to the other replicas."
        case .announcedRecords: "Records announced by other replicas, by what became of them."
        case .announcementGaps: "Announcements that said that records were left out."
        case .refills: "How often the store was found to have lost data, or to be another server."
        case .refillOffers: "Bindings offered to the store after a loss."
        case .fleetReplicas: "Known replicas, including this one."
        case .fleetConfigurations: "Different configurations among the replicas; 1 if all are the same."
        case .configReloads: "Configuration reloads, by result."
        case .configLastReloadSuccess: "1 if the configuration last read is valid, 0 if it was rejected."
        case .configLastSuccess: "Unix time at which a configuration was last read and found valid."
        case .providerUp: "1 while the provider is available, 0 while it is not."
        case .oversizedSessionKeys: "Session keys that were too long and were ignored."
        case .keysLearntElsewhere: "Session keys issued by a backend that were already bound to another one."
        case .patternsOverLimit: "Rule patterns that exceeded a limit, so that their rule did not match."
        case .accessLogDropped: "Access log lines dropped because the log could not keep up."
        case .cpu: "CPU time used, user and system."
        case .residentMemory: "Resident memory."
        case .startTime: "Unix time at which the process started."
        case .openDescriptors: "Open file descriptors."
        case .maxDescriptors: "Maximum number of open file descriptors."
        }
    }
}

/// Writes all metrics in Prometheus's text format.
enum Measurements {
    static func text(_ snapshot: MetricsSnapshot, _ process: ProcessMetrics, replica: String) -> String {
        var text = MetricsText()
        text.add(.info, [([("replica", replica), ("version", Version.current)], 1)])
        addTraffic(snapshot, to: &text)
        addCache(snapshot, to: &text)
        addStore(snapshot, to: &text)
        addFleet(snapshot, to: &text)
        addReloads(snapshot, to: &text)
        text.add(.oversizedSessionKeys, [([], Double(snapshot.oversizedSessionKeys))])
        text.add(.keysLearntElsewhere, [([], Double(snapshot.keysLearntElsewhere))])
        text.add(.patternsOverLimit, [([], Double(snapshot.patternsOverLimit))])
        text.add(.accessLogDropped, [([], Double(snapshot.droppedAccessLogLines))])
        addProcess(process, to: &text)
        return text.text
    }

    private static func addTLS(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.add(
            .handshakes,
            snapshot.handshakes.completed.map { kind, count in
                let version = kind.version == .tls13 ? "1.3" : "1.2"
                let labels = [("version", version), ("cipher", kind.suite), ("resumed", "\(kind.isResumed)")]
                return (labels, Double(count))
            })
        text.add(
            .handshakeFailures, snapshot.handshakes.failed.map { ([("reason", $0.key.rawValue)], Double($0.value)) })
        text.add(
            .adminHandshakeFailures,
            snapshot.adminHandshakeFailures.map { ([("reason", $0.key.rawValue)], Double($0.value)) })
        text.add(
            .certificateEnd,
            snapshot.certificateEnds.map { ([("name", $0.key.name), ("serial", $0.key.serial)], $0.value) })
    }

    private static func addTraffic(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.add(
            .requests,
            snapshot.requests.map { kind, count in
                let provenance = kind.provenance?.rawValue ?? "none"
                let labels = [("service", kind.service), ("code", String(kind.status)), ("provenance", provenance)]
                return (labels, Double(count))
            })
        text.add(.refusals, snapshot.refusals.map { ([("reason", $0.key.rawValue)], Double($0.value)) })
        addFailures(snapshot, to: &text)
        addRetries(snapshot, to: &text)
        addTunnels(snapshot, to: &text)
        text.add(.openConnections, snapshot.openConnections.map { ([("entrypoint", $0.key)], Double($0.value)) })
        text.add(.http2Connections, [([], Double(snapshot.http2.connections))])
        text.add(.http2Requests, [([], Double(snapshot.http2.requests))])
        text.add(.http2Floods, snapshot.http2.floods.map { ([("kind", $0.key.rawValue)], Double($0.value)) })
        addTLS(snapshot, to: &text)
        text.add(.requestsInFlight, [([], Double(snapshot.requestsInFlight))])
        text.add(
            .backendRequestsInFlight,
            snapshot.backendRequestsInFlight.map { backend, count in
                ([("service", backend.service), ("backend", backend.name)], Double(count))
            })
        let limited = snapshot.backendCapacities.map { backend, counts in
            (labels: [("service", backend.service), ("backend", backend.name)], counts)
        }
        text.add(.backendRequestsWaiting, limited.map { ($0.labels, Double($0.1.waiting)) })
        text.add(.backendWaits, limited.map { ($0.labels, Double($0.1.waited)) })
        text.add(.backendQueueFull, limited.map { ($0.labels, Double($0.1.refused)) })
        text.add(
            .backendUp,
            snapshot.backendsUp.map { ([("service", $0.key.service), ("backend", $0.key.name)], $0.value ? 1 : 0) })
        addHealth(snapshot, to: &text)
    }

    private static func addHealth(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        let causes: [(HealthCauses, String)] = [(.unreachable, "unreachable"), (.failing, "failing")]
        text.add(
            .backendDown,
            snapshot.backendCauses.flatMap { backend, found in
                causes.map { cause, name in
                    (
                        [("service", backend.service), ("backend", backend.name), ("cause", name)],
                        found.contains(cause) ? 1.0 : 0
                    )
                }
            })
        text.add(
            .healthChecks,
            snapshot.healthChecks.flatMap { backend, counts in
                counts.map { outcome, count in
                    (
                        [("service", backend.service), ("backend", backend.name), ("outcome", outcome.rawValue)],
                        Double(count)
                    )
                }
            })
    }

    private static func addFailures(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.add(
            .failures,
            snapshot.failures.flatMap { service, failures in
                failures.map { ([("service", service), ("reason", $0.key.rawValue)], Double($0.value)) }
            })
        text.add(
            .backendFailures,
            snapshot.backendFailures.flatMap { backend, failures in
                failures.map {
                    let labels = [
                        ("service", backend.service), ("backend", backend.name), ("reason", $0.key.rawValue),
                    ]
                    return (labels, Double($0.value))
                }
            })
    }

    private static func addRetries(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.add(
            .retries,
            snapshot.retries.flatMap { service, counters in
                counters.retries.map { ([("service", service), ("reason", $0.key.rawValue)], Double($0.value)) }
            })
        text.add(
            .retriesOverBudget,
            snapshot.retries.filter { $0.value.refused > 0 }.map {
                ([("service", $0.key)], Double($0.value.refused))
            })
        text.add(
            .fallbacks,
            snapshot.retries.filter { $0.value.fallbacks > 0 }.map {
                ([("service", $0.key)], Double($0.value.fallbacks))
            })
    }

    private static func addTunnels(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.add(.openTunnels, [([], Double(snapshot.openTunnels))])
        text.add(
            .tunnels,
            snapshot.tunnels.flatMap { service, tunnels in
                tunnels.ended.map { ([("service", service), ("reason", $0.key.rawValue)], Double($0.value)) }
            })
        text.add(
            .tunnelBytes,
            snapshot.tunnels.filter { !$0.value.ended.isEmpty }.flatMap { service, tunnels in
                [
                    ([("service", service), ("from", "client")], Double(tunnels.bytesFromClient)),
                    ([("service", service), ("from", "backend")], Double(tunnels.bytesFromBackend)),
                ]
            })
    }

    private static func addCache(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        guard let cache = snapshot.cache else { return }
        text.add(
            .cacheEntries,
            [
                ([("kind", "confirmed")], Double(cache.entries.confirmed)),
                ([("kind", "standby")], Double(cache.entries.standby)),
                ([("kind", "dirty")], Double(cache.entries.dirty)),
                ([("kind", "guess")], Double(cache.entries.guesses)),
            ])
        text.add(.cacheCapacity, [([], Double(cache.capacity))])
        text.add(.cacheHits, [([], Double(cache.hits))])
        text.add(.cacheMisses, [([], Double(cache.misses))])
    }

    private static func addStore(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        guard let isAvailable = snapshot.storeIsAvailable else { return }
        text.add(.storeAvailable, [([], isAvailable ? 1 : 0)])
        text.add(.storeLoops, [([], Double(snapshot.storeLoops))])
        if let latency = snapshot.storeLatency { text.add(.storeLatency, latency) }
        text.add(
            .storeFailures,
            StoreFailure.allCases.map { ([("kind", $0.rawValue)], Double(snapshot.storeFailures[$0] ?? 0)) })
        if let primary = snapshot.primary { addPrimary(primary, to: &text) }
    }

    private static func addPrimary(_ primary: MetricsSnapshot.Primary, to text: inout MetricsText) {
        if let address = primary.address { text.add(.storePrimary, [([("address", address)], 1)]) }
        if let isGuarded = primary.isFailoverGuarded { text.add(.storeGuarded, [([], isGuarded ? 1 : 0)]) }
        guard let sentinels = primary.sentinels else { return }
        text.add(.sentinels, [([], Double(sentinels.configured))])
        text.add(.sentinelsAnswering, [([], Double(sentinels.answering))])
        text.add(.sentinelsAgree, [([], sentinels.agree ? 1 : 0)])
        text.add(.primaryChanges, [([], Double(primary.changes))])
    }

    private static func addFleet(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        if let channel = snapshot.channel {
            text.add(.channelLive, [([], channel.isLive ? 1 : 0)])
            text.add(.channelGenerations, [([], Double(channel.generations))])
            text.add(.channelMessages, [([], Double(channel.messages))])
        }
        if let standby = snapshot.standby { addStandby(standby, to: &text) }
        if let fleet = snapshot.fleet {
            text.add(.fleetReplicas, [([], Double(fleet.replicas))])
            text.add(.fleetConfigurations, [([], Double(fleet.configurations))])
        }
    }

    private static func addStandby(_ standby: MetricsSnapshot.Standby, to text: inout MetricsText) {
        let counters = standby.counters
        text.add(.standbySynced, [([], standby.isSynced ? 1 : 0)])
        text.add(.standbyScans, [([], Double(counters.scans))])
        text.add(.standbyScannedRecords, [([], Double(counters.scanned))])
        text.add(.announcementsSent, [([], Double(counters.announcementsSent))])
        text.add(
            .announcedRecords,
            [
                ([("result", "dropped")], Double(counters.recordsDropped)),
                ([("result", "heard")], Double(counters.recordsHeard)),
            ])
        text.add(.announcementGaps, [([], Double(counters.gapsHeard))])
        text.add(.refills, [([], Double(counters.refills))])
        text.add(.refillOffers, [([], Double(counters.offers))])
    }

    private static func addReloads(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        guard let reloads = snapshot.reloads else { return }
        text.add(
            .configReloads,
            [
                ([("result", "success")], Double(reloads.successes)),
                ([("result", "failure")], Double(reloads.failures)),
            ])
        text.add(.configLastReloadSuccess, [([], reloads.isSound ? 1 : 0)])
        text.add(.configLastSuccess, [([], reloads.lastSuccess)])
        text.add(.providerUp, reloads.providersUp.map { ([("provider", $0.key)], $0.value ? 1 : 0) })
    }

    private static func addProcess(_ process: ProcessMetrics, to text: inout MetricsText) {
        text.add(.cpu, [([], process.cpuSeconds)])
        text.add(.residentMemory, [([], Double(process.residentByteCount))])
        text.add(.startTime, [([], process.startSeconds)])
        text.add(.openDescriptors, [([], Double(process.openDescriptors))])
        text.add(.maxDescriptors, [([], Double(process.maxDescriptors))])
    }
}
