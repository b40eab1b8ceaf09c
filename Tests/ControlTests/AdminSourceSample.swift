import Affinity
import Configuration

@testable import Control

/// What an admin listener shows, made up.
struct AdminSourceSample: AdminSource {
    var numbers = MetricsSnapshot()
    var view = FleetSample.view
    var configuration = try? ReplicaConfiguration.read(Self.yaml)

    static let yaml = """
        entryPoints: { web: { address: ":0" }, alt: { address: ":1" } }
        http:
          routers:
            a b: { rule: "Host(`a`)", service: shop, entryPoints: [web] }
            rest: { rule: "PathPrefix(`/`)", service: shop, priority: 7 }
          services:
            shop:
              loadBalancer:
                sticky: { header: X-Session-ID, onUnavailable: reject, idleTimeout: 30m }
                servers:
                  - { url: "http://10.0.0.1:80", name: web-1, weight: 2 }
                  - { url: "http://10.0.0.2:80", draining: true }
            idle: { loadBalancer: { servers: [] } }
        """

    func snapshot() async -> MetricsSnapshot { numbers }
    func fleet() async -> FleetView { view }

    func overview() async -> OverviewView {
        OverviewView(
            http: .init(configuration?.http ?? HTTPConfiguration(), diagnostics: []), providers: [],
            features: .init(accessLog: false, sharedStore: false),
            configuration: .init(ReloadReport(startedAt: WallTime(seconds: 0, nanoseconds: 0))))
    }

    func routers() async -> [RouterView] { configuration.map(RouterView.all) ?? [] }

    func services() async -> [ServiceView] {
        (configuration?.http).map { ServiceView.all(of: $0, running: []) } ?? []
    }

    func session(_ fingerprint: Fingerprint, service: String) async -> SessionView? { nil }
}
