import Affinity
import Configuration
import Proxy
import Store
import Synchronization

/// A replica as its admin listener shows it: the configuration in use, and how it was loaded.
struct ReplicaStatus: AdminSource {
    let dataPlane: DataPlane
    let reloader: Reloader
    /// Nil: containers are not read.
    let docker: DockerProvider?
    /// Nil: the admin listener speaks plain HTTP.
    let adminTLS: AdminTLS?

    func fleet() async -> FleetView { await dataPlane.fleet() }

    func snapshot() async -> MetricsSnapshot {
        var snapshot = await dataPlane.snapshot()
        snapshot.adminHandshakeFailures = adminTLS?.failures ?? [:]
        let report = reloader.report
        let providers = providers.map { ($0.name, $0.status == .up) }
        snapshot.reloads = MetricsSnapshot.Reloads(
            successes: report.successes, failures: report.failures, isSound: report.isSound,
            lastSuccess: report.lastSuccessAt.since1970,
            providersUp: Dictionary(providers, uniquingKeysWith: { first, _ in first }))
        return snapshot
    }

    /// The configured providers. The main file counts as part of the file provider.
    private var providers: [OverviewView.Provider] {
        let (report, unreadable) = (reloader.report, reloader.unreadable)
        var providers = [
            OverviewView.Provider(
                name: "file", status: unreadable.isEmpty ? .up : .down, lastChange: report.filesChangedAt?.text,
                error: unreadable.first.map { "\($0)" })
        ]
        if let status = docker?.status {
            providers.append(
                OverviewView.Provider(
                    name: "docker", status: status.isConnected ? .up : .down,
                    lastChange: report.containersChangedAt?.text, error: status.isConnected ? nil : status.lastError,
                    warnings: status.warnings))
        }
        return providers
    }

    func overview() async -> OverviewView {
        let (running, report) = (reloader.running, reloader.report)
        return OverviewView(
            http: .init(running.http, diagnostics: report.diagnostics), providers: providers,
            features: .init(accessLog: running.accessLog != nil, sharedStore: running.store.redis != nil),
            configuration: .init(report), certificates: CertificateView.all(of: running.http.tls))
    }

    func routers() async -> [RouterView] { RouterView.all(of: dataPlane.current.withLock { $0.configuration }) }

    func services() async -> [ServiceView] {
        let current = dataPlane.current.withLock { $0 }
        return ServiceView.all(of: current.configuration.http, running: current.snapshot.services)
    }

    func session(_ fingerprint: Fingerprint, service: String) async -> SessionView? {
        let services = dataPlane.current.withLock { $0.snapshot.services }
        guard let service = services.first(where: { $0.name == service }) else { return nil }
        let now = Instant.now
        let entry = dataPlane.cache.peek(fingerprint, now: now)
        let isCovered = entry.map { dataPlane.coherence.covers($0.confirmedAt, of: fingerprint, now: now) } ?? false
        let isVouchedFor = SessionView.isVouchedFor(entry, isCovered: isCovered)
        let answer = isVouchedFor ? nil : await dataPlane.readRecord(fingerprint)
        return SessionView(
            fingerprint, of: service, entry: entry, expired: dataPlane.cache.expired(fingerprint, now: now),
            isCovered: isCovered, answer: answer)
    }
}

extension WallTime {
    fileprivate var since1970: Double { Double(seconds) + Double(nanoseconds) / 1e9 }
}
