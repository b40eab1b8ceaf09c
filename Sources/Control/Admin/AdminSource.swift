package import Affinity

/// Who knows what the admin listener shows.
package protocol AdminSource: MetricsSource, FleetSource {
    func overview() async -> OverviewView
    /// In the order of their names.
    func routers() async -> [RouterView]
    /// In the order of their names.
    func services() async -> [ServiceView]
    /// Nil: there is no such service.
    func session(_ fingerprint: Fingerprint, service: String) async -> SessionView?
}
