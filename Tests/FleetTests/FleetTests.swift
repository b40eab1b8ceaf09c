import LimpetTestKit
import Testing

/// Real processes: replicas, a redis-server, backends. One test at a time, since they measure and starve.
@Suite("A fleet of processes", .serialized, .timeLimit(.minutes(3)))
enum FleetTests {}

/// Runs `body` with a fleet, and ends all of it whatever happens. Each replica must then stop well.
func withFleet(_ options: Fleet.Options = .init(), _ body: (Fleet) async throws -> Void) async throws {
    let fleet = try await Threads.run { try Fleet(options) }
    do {
        try await body(fleet)
    } catch {
        _ = try? await Threads.run { fleet.end() }
        throw error
    }
    let ends = try await Threads.run { fleet.end() }
    #expect(ends.allSatisfy { $0 == .exited(0) }, "the replicas ended so: \(ends)")
}
