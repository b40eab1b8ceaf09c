import Affinity
import Foundation
import HTTP2Wire
import Logging
import Proxy
import Testing

@testable import Configuration
@testable import Control

enum MetricsSample {
    static var numbers: MetricsSnapshot {
        var numbers = MetricsSnapshot()
        numbers.requests[.init(service: "shop", status: 200, provenance: .cached)] = 7
        numbers.requests[.init(service: "a\"b\\c\nd", status: 503, provenance: nil)] = 1
        numbers.refusals[.badRequest] = 2
        numbers.failures["shop"] = [.noBackend: 3]
        numbers.backendFailures[.init(service: "shop", name: "web-1")] = [.connectRefused: 4, .responseCut: 5]
        numbers.retries["shop"] = RetryCounters()
        numbers.retries["shop"]?.retries = [.responseStatus: 3]
        numbers.retries["shop"]?.refused = 1
        numbers.retries["shop"]?.fallbacks = 4
        numbers.openTunnels = 6
        numbers.tunnels["shop"] = TunnelCounters()
        numbers.tunnels["shop"]?.ended = [.clientClosed: 2]
        numbers.tunnels["shop"]?.bytesFromBackend = 9
        numbers.openConnections["web"] = 3
        numbers.http2 = HTTP2Counters(connections: 3, requests: 9, floods: [.pings: 2])
        numbers.handshakes = HandshakeCounters(
            completed: [.init(version: .tls13, suite: "TLS_AES_128_GCM_SHA256", isResumed: true): 4],
            failed: [.timeout: 1])
        numbers.adminHandshakeFailures = [.clientCertificate: 2]
        numbers.certificateEnds[.init(name: "shop.example", serial: "0a")] = 2_000_000_000
        numbers.requestsInFlight = 2
        numbers.backendRequestsInFlight[.init(service: "shop", name: "web-1")] = 1
        numbers.backendRequestsInFlight[.init(service: "shop", name: "web-2")] = 0
        numbers.backendsUp[.init(service: "shop", name: "web-1")] = true
        numbers.backendCapacities[.init(service: "shop", name: "web-1")] = .init(
            underWay: 5, waiting: 6, waited: 7, refused: 8)
        numbers.backendsUp[.init(service: "shop", name: "web-2")] = false
        numbers.backendCauses[.init(service: "shop", name: "web-2")] = [.failing, .draining]
        numbers.healthChecks[.init(service: "shop", name: "web-2")] = [.good: 7, .timeout: 2]
        numbers.cache = .init(
            entries: .init(confirmed: 1, standby: 4, dirty: 2, guesses: 3), capacity: 10, hits: 5, misses: 6)
        numbers.storeIsAvailable = false
        numbers.storeLoops = 1
        numbers.storeLatency = .init(upperBounds: [0.0005, 0.001], counts: [1, 2, 3], sum: 0.25)
        numbers.storeFailures[.late] = 4
        numbers.primary = .init(
            address: "10.0.0.7:6379", isFailoverGuarded: false,
            sentinels: .init(configured: 3, answering: 2, agree: true), changes: 5)
        numbers.channel = .init(isLive: true, generations: 2, messages: 9)
        var standby = Standby.Counters()
        standby.announcementsSent = 11
        standby.recordsHeard = 12
        standby.recordsDropped = 13
        standby.gapsHeard = 14
        standby.scanned = 15
        standby.scans = 16
        standby.offers = 17
        standby.refills = 18
        numbers.standby = .init(isSynced: true, counters: standby)
        numbers.fleet = .init(replicas: 3, configurations: 2)
        numbers.reloads = .init(
            successes: 4, failures: 1, isSound: false, lastSuccess: 1_767_225_600.5,
            providersUp: ["docker": false, "file": true])
        numbers.oversizedSessionKeys = 8
        numbers.keysLearntElsewhere = 9
        numbers.patternsOverLimit = 10
        return numbers
    }
}

@Suite("Measurements")
struct MeasurementTests {
    private static var process: ProcessMetrics {
        ProcessMetrics(
            cpuSeconds: 1.5, residentByteCount: 4096, startSeconds: 1_767_225_599.25, openDescriptors: 12,
            maxDescriptors: 1024)
    }

    private static let ofProcess: [Substring] = [
        "process_cpu_seconds_total 1.5", "process_resident_memory_bytes 4096",
        "process_start_time_seconds 1767225599.25", "process_open_fds 12", "process_max_fds 1024",
    ]

    @Test("are written as Prometheus reads them, to the letter")
    func text() {
        let lines = Measurements.text(MetricsSample.numbers, Self.process, replica: "r1").split(separator: "\n")
        #expect(
            lines.filter { !$0.hasPrefix("#") } == [
                "limpet_info{replica=\"r1\",version=\"\(Version.current)\"} 1",
                "limpet_requests_total{service=\"a\\\"b\\\\c\\nd\",code=\"503\",provenance=\"none\"} 1",
                "limpet_requests_total{service=\"shop\",code=\"200\",provenance=\"cached\"} 7",
                "limpet_requests_refused_total{reason=\"bad_request\"} 2",
                "limpet_requests_failed_total{service=\"shop\",reason=\"no_backend\"} 3",
                "limpet_backend_failures_total{service=\"shop\",backend=\"web-1\",reason=\"connect_refused\"} 4",
                "limpet_backend_failures_total{service=\"shop\",backend=\"web-1\",reason=\"response_cut\"} 5",
                "limpet_retries_total{service=\"shop\",reason=\"response_status\"} 3",
                "limpet_retries_over_budget_total{service=\"shop\"} 1",
                "limpet_fallback_requests_total{service=\"shop\"} 4",
                "limpet_open_tunnels 6", "limpet_tunnels_total{service=\"shop\",reason=\"client_closed\"} 2",
                "limpet_tunnel_bytes_total{service=\"shop\",from=\"backend\"} 9",
                "limpet_tunnel_bytes_total{service=\"shop\",from=\"client\"} 0",
                "limpet_open_connections{entrypoint=\"web\"} 3",
                "limpet_http2_connections_total 3", "limpet_http2_requests_total 9",
                "limpet_http2_floods_total{kind=\"ping\"} 2",
                "limpet_tls_handshakes_total{version=\"1.3\",cipher=\"TLS_AES_128_GCM_SHA256\",resumed=\"true\"} 4",
                "limpet_tls_handshake_failures_total{reason=\"timeout\"} 1",
                "limpet_admin_tls_handshake_failures_total{reason=\"client_certificate\"} 2",
                "limpet_tls_certificate_not_after_timestamp_seconds{name=\"shop.example\",serial=\"0a\"} 2000000000",
                "limpet_requests_in_flight 2",
                "limpet_backend_requests_in_flight{service=\"shop\",backend=\"web-1\"} 1",
                "limpet_backend_requests_in_flight{service=\"shop\",backend=\"web-2\"} 0",
                "limpet_backend_requests_waiting{service=\"shop\",backend=\"web-1\"} 6",
                "limpet_backend_waits_total{service=\"shop\",backend=\"web-1\"} 7",
                "limpet_backend_queue_full_total{service=\"shop\",backend=\"web-1\"} 8",
                "limpet_backend_up{service=\"shop\",backend=\"web-1\"} 1",
                "limpet_backend_up{service=\"shop\",backend=\"web-2\"} 0",
                "limpet_backend_down{service=\"shop\",backend=\"web-2\",cause=\"failing\"} 1",
                "limpet_backend_down{service=\"shop\",backend=\"web-2\",cause=\"unreachable\"} 0",
                "limpet_health_checks_total{service=\"shop\",backend=\"web-2\",outcome=\"good\"} 7",
                "limpet_health_checks_total{service=\"shop\",backend=\"web-2\",outcome=\"timeout\"} 2",
                "limpet_cache_entries{kind=\"confirmed\"} 1", "limpet_cache_entries{kind=\"dirty\"} 2",
                "limpet_cache_entries{kind=\"guess\"} 3", "limpet_cache_entries{kind=\"standby\"} 4",
                "limpet_cache_capacity_entries 10", "limpet_cache_hits_total 5",
                "limpet_cache_misses_total 6", "limpet_store_available 0", "limpet_store_loops 1",
                "limpet_store_latency_seconds_bucket{le=\"0.0005\"} 1",
                "limpet_store_latency_seconds_bucket{le=\"0.001\"} 3",
                "limpet_store_latency_seconds_bucket{le=\"+Inf\"} 6",
                "limpet_store_latency_seconds_sum 0.25", "limpet_store_latency_seconds_count 6",
                "limpet_store_failures_total{kind=\"away\"} 0", "limpet_store_failures_total{kind=\"full\"} 0",
                "limpet_store_failures_total{kind=\"late\"} 4", "limpet_store_failures_total{kind=\"lost\"} 0",
                "limpet_store_failures_total{kind=\"refused\"} 0",
                "limpet_store_primary_info{address=\"10.0.0.7:6379\"} 1", "limpet_store_failover_guarded 0",
                "limpet_sentinels 3", "limpet_sentinels_answering 2", "limpet_sentinels_agree 1",
                "limpet_store_primary_changes_total 5", "limpet_channel_live 1",
                "limpet_channel_generations_total 2", "limpet_channel_messages_total 9",
                "limpet_standby_synced 1", "limpet_standby_scans_total 16", "limpet_standby_scanned_records_total 15",
                "limpet_announcements_sent_total 11", "limpet_announced_records_total{result=\"dropped\"} 13",
                "limpet_announced_records_total{result=\"heard\"} 12", "limpet_announcement_gaps_total 14",
                "limpet_refills_total 18", "limpet_refill_offers_total 17", "limpet_fleet_replicas 3",
                "limpet_fleet_configurations 2", "limpet_config_reloads_total{result=\"failure\"} 1",
                "limpet_config_reloads_total{result=\"success\"} 4", "limpet_config_last_reload_success 0",
                "limpet_config_last_reload_success_timestamp_seconds 1767225600.5",
                "limpet_provider_up{provider=\"docker\"} 0", "limpet_provider_up{provider=\"file\"} 1",
                "limpet_oversized_session_keys_total 8", "limpet_session_keys_learnt_elsewhere_total 9",
                "limpet_rule_pattern_limit_total 10", "limpet_access_log_dropped_lines_total 0",
            ] + Self.ofProcess)
    }

    @Test("leave out what there is none of")
    func empty() {
        let text = Measurements.text(MetricsSnapshot(), Self.process, replica: "r1")
        for name in ["store", "cache", "requests_total", "requests_refused", "backend", "channel", "standby", "fleet"] {
            #expect(!text.contains("limpet_\(name)"))
        }
        #expect(text.contains("# TYPE limpet_info gauge\n"))
    }

    @Test("follow Prometheus's conventions for names")
    func names() {
        for metric in Metric.allCases {
            #expect(metric.rawValue.hasSuffix("_total") == (metric.kind == .counter))
            #expect(metric.rawValue.hasPrefix("limpet_") || metric.rawValue.hasPrefix("process_"))
            #expect(metric.help.hasSuffix(".") && !metric.help.contains("\n"))
        }
    }

    @Test("of a data plane count the session keys that were too long, on whichever event loop")
    func oversizedSessionKeys() async throws {
        let yaml = """
            entryPoints: { web: { address: "127.0.0.1:0" } }
            replica: { threads: 2 }
            http:
              routers: { all: { rule: "PathPrefix(`/`)", service: shop } }
              services: { shop: { loadBalancer: { sticky: { header: X-Session-ID }, servers: [] } } }
            """
        let configuration = try ReplicaConfiguration.read(yaml)
        let dataPlane = try await DataPlane.start(configuration, accessLog: nil, logger: Logger(label: "test"))
        for count in [4096, 4097, 8192, 1, 4097] {
            let field = "X-Session-ID: " + String(repeating: "k", count: count)
            #expect(try await Loopback.ask(dataPlane.ports[0], "/", [field]).status == 503)
        }
        let metrics = await dataPlane.snapshot()
        await dataPlane.stop()
        #expect(metrics.oversizedSessionKeys == 3)
    }

    @Test("of a data plane count the patterns that went over a limit, whose rule does not hold then")
    func patternsOverLimit() async throws {
        let yaml = """
            entryPoints: { web: { address: "127.0.0.1:0" } }
            replica: { threads: 2 }
            http:
              routers: { all: { rule: "ClientIP(`127.0.0.1`) && HeaderRegexp(`X-Path`, `^(a+)+$`)", service: shop } }
              services: { shop: { loadBalancer: { servers: [] } } }
            """
        let configuration = try ReplicaConfiguration.read(yaml)
        let dataPlane = try await DataPlane.start(configuration, accessLog: nil, logger: Logger(label: "test"))
        for (tail, status) in [("", 503), ("!", 404), ("", 503), ("!", 404)] {
            let field = "X-Path: " + String(repeating: "a", count: 40) + tail
            #expect(try await Loopback.ask(dataPlane.ports[0], "/", [field]).status == status)
        }
        let metrics = await dataPlane.snapshot()
        await dataPlane.stop()
        #expect(metrics.patternsOverLimit == 2)
    }

    @Test("of this process are those of the operating system")
    func process() {
        let now = ProcessMetrics.current()
        #expect(now.cpuSeconds > 0)
        #expect(now.residentByteCount > 1 << 20)
        #expect(abs(now.startSeconds - Date().timeIntervalSince1970) < 3600)
        #expect(now.openDescriptors >= 3 && now.openDescriptors <= now.maxDescriptors)
    }

    @Test("survive a command name that looks like fields")
    func hostileCommandName() {
        var process = ProcessMetrics()
        let fields = (3...52).map { $0 == 3 ? "S" : String($0) }.joined(separator: " ")
        process.readStat("1 (a) b (c 9 9) \(fields)")
        #expect(process.residentByteCount == 24 * sysconf(Int32(_SC_PAGESIZE)))
        process.readStat("nothing")
    }
}
