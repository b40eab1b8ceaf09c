import ServiceLifecycle

/// The part of a replica that serves clients.
struct DataPlane: Service, MetricsSource {
    let configuration: Configuration
    let accessLog: AccessLog?

    /// Serves until it is told to stop; then finishes what is under way.
    func run() async throws {
        try? await gracefulShutdown()
    }

    func snapshot() async -> MetricsSnapshot {
        var snapshot = MetricsSnapshot()
        snapshot.droppedAccessLogLines = accessLog?.droppedCount ?? 0
        return snapshot
    }
}
