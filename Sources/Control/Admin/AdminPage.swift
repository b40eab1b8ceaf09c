import NIOHTTP1

/// What the admin listener has to say.
struct AdminPage: Sendable {
    let replica: String
    let phase: ReplicaPhase
    let source: any MetricsSource & FleetSource

    enum Answer: Equatable {
        case text(HTTPResponseStatus, String)
        case metrics
        case fleet
    }

    /// - Parameter isRead: whether the method is GET or HEAD.
    func answer(isRead: Bool, path: Substring) -> Answer {
        guard ["/ping", "/ready", "/metrics", "/api/fleet"].contains(path) else {
            return .text(.notFound, "404 page not found\n")
        }
        guard isRead else { return .text(.methodNotAllowed, "only GET and HEAD are answered here\n") }
        return switch (path, phase.current) {
        case ("/metrics", _): .metrics
        case ("/api/fleet", _): .fleet
        case ("/ping", .starting), (_, .serving): .text(.ok, "OK")
        case (_, .starting): .text(.serviceUnavailable, "starting")
        case (_, .stopping): .text(.serviceUnavailable, "stopping")
        }
    }

    var isServing: Bool { phase.current != .stopping }

    func metrics() async -> String {
        Measurements.text(await source.snapshot(), ProcessMeasurements.current(), replica: replica)
    }

    func fleet() async throws -> String {
        try await source.fleet().json()
    }
}
