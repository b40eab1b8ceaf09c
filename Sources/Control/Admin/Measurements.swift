import Affinity

/// Every metric: its name, its kind and its meaning. Names contain the units.
enum Metric: String, CaseIterable {
    case info = "limpet_info"
    case requests = "limpet_requests_total"
    case refusals = "limpet_requests_refused_total"
    case openConnections = "limpet_open_connections"
    case requestsInFlight = "limpet_requests_in_flight"
    case backendRequestsInFlight = "limpet_backend_requests_in_flight"
    case backendUp = "limpet_backend_up"
    case cacheEntries = "limpet_cache_entries"
    case cacheCapacity = "limpet_cache_capacity_entries"
    case cacheHits = "limpet_cache_hits_total"
    case cacheMisses = "limpet_cache_misses_total"
    case storeAvailable = "limpet_store_available"
    case storeLoops = "limpet_store_loops"
    case storeLatency = "limpet_store_latency_seconds"
    case storeFailures = "limpet_store_failures_total"
    case channelLive = "limpet_channel_live"
    case channelGenerations = "limpet_channel_generations_total"
    case channelMessages = "limpet_channel_messages_total"
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
        case .requests, .refusals, .cacheHits, .cacheMisses, .storeFailures, .channelGenerations, .channelMessages,
            .oversizedSessionKeys, .keysLearntElsewhere, .patternsOverLimit, .accessLogDropped, .cpu, .configReloads:
            .counter
        case .info, .openConnections, .requestsInFlight, .backendRequestsInFlight, .backendUp, .cacheEntries,
            .cacheCapacity, .storeAvailable, .storeLoops,
            .channelLive, .configLastReloadSuccess, .configLastSuccess, .providerUp,
            .fleetReplicas, .fleetConfigurations, .residentMemory, .startTime, .openDescriptors, .maxDescriptors:
            .gauge
        }
    }

    var help: String {
        switch self {
        case .info: "Always 1; the labels name the replica and its version."
        case .requests: "Requests that a service has answered, by status and by why they went where they went."
        case .refusals: "Requests that were refused before any service saw them."
        case .openConnections: "Connections of clients that are open."
        case .requestsInFlight: "Requests that have come and whose responses are not all written."
        case .backendRequestsInFlight: "Requests that are on their way to the backend, or at it."
        case .backendUp: "1 while the backend is taken to be up, 0 while it is down."
        case .cacheEntries: "Bindings in the local cache."
        case .cacheCapacity: "Bindings that the local cache can hold."
        case .cacheHits: "Decisions that the local cache made alone."
        case .cacheMisses: "Decisions for which the local cache did not suffice."
        case .storeAvailable: "1 while all event loops ask the store, 0 while some or all decide without it."
        case .storeLoops: "Event loops that ask the store; the others decide without it."
        case .storeLatency: "Time from asking the store to its answer."
        case .storeFailures: "Questions that the store did not answer, by kind."
        case .channelLive: "1 while the cache may be used without asking the store: a move would be heard."
        case .channelGenerations: "Times at which all that the cache held became suspect."
        case .channelMessages: "Changed bindings that were heard from the store."
        case .fleetReplicas: "Replicas that are heard, this one included."
        case .fleetConfigurations: "Different configurations among the replicas; 1 where all agree."
        case .configReloads: "Configurations that were read while the replica ran, and taken over or refused."
        case .configLastReloadSuccess: "1 while the configuration as it was last read is right, 0 while it was refused."
        case .configLastSuccess: "When a configuration was last read and found right, since 1970."
        case .providerUp: "1 while the provider can be asked, 0 while it cannot."
        case .oversizedSessionKeys: "Session keys that were too long and counted as absent."
        case .keysLearntElsewhere: "Session keys that a backend issued and that another one had already."
        case .patternsOverLimit: "Patterns of rules that went over a limit, so that their rule did not hold."
        case .accessLogDropped: "Lines of the access log that were dropped because it could not keep up."
        case .cpu: "CPU time used, user and system."
        case .residentMemory: "Memory in RAM."
        case .startTime: "When the process started, since 1970."
        case .openDescriptors: "File descriptors that are open."
        case .maxDescriptors: "File descriptors that may be open."
        }
    }
}

/// Writes all metrics in Prometheus's text format.
enum Measurements {
    static func text(_ snapshot: MetricsSnapshot, _ process: ProcessMeasurements, replica: String) -> String {
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

    private static func addTraffic(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.add(
            .requests,
            snapshot.requests.map { kind, count in
                let provenance = kind.provenance?.rawValue ?? "none"
                let labels = [("service", kind.service), ("code", String(kind.status)), ("provenance", provenance)]
                return (labels, Double(count))
            })
        text.add(.refusals, snapshot.refusals.map { ([("reason", $0.key)], Double($0.value)) })
        text.add(.openConnections, snapshot.openConnections.map { ([("entrypoint", $0.key)], Double($0.value)) })
        text.add(.requestsInFlight, [([], Double(snapshot.requestsInFlight))])
        text.add(
            .backendRequestsInFlight,
            snapshot.backendRequestsInFlight.map { backend, count in
                ([("service", backend.service), ("backend", backend.name)], Double(count))
            })
        text.add(
            .backendUp,
            snapshot.backendsUp.map { ([("service", $0.key.service), ("backend", $0.key.name)], $0.value ? 1 : 0) })
    }

    private static func addCache(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        guard let cache = snapshot.cache else { return }
        text.add(.cacheEntries, [([], Double(cache.entries))])
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
    }

    private static func addFleet(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        if let channel = snapshot.channel {
            text.add(.channelLive, [([], channel.isLive ? 1 : 0)])
            text.add(.channelGenerations, [([], Double(channel.generations))])
            text.add(.channelMessages, [([], Double(channel.messages))])
        }
        if let fleet = snapshot.fleet {
            text.add(.fleetReplicas, [([], Double(fleet.replicas))])
            text.add(.fleetConfigurations, [([], Double(fleet.configurations))])
        }
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

    private static func addProcess(_ process: ProcessMeasurements, to text: inout MetricsText) {
        text.add(.cpu, [([], process.cpuSeconds)])
        text.add(.residentMemory, [([], Double(process.residentByteCount))])
        text.add(.startTime, [([], process.startSeconds)])
        text.add(.openDescriptors, [([], Double(process.openDescriptors))])
        text.add(.maxDescriptors, [([], Double(process.maxDescriptors))])
    }
}
