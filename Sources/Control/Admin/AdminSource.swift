package import Affinity

/// The source of what the admin listener shows.
package protocol AdminSource: MetricsSource, FleetSource {
    func overview() async -> OverviewView
    /// Sorted by name.
    func routers() async -> [RouterView]
    /// Sorted by name.
    func services() async -> [ServiceView]
    /// Nil: the service does not exist.
    func session(_ fingerprint: Fingerprint, service: String) async -> SessionView?
}
