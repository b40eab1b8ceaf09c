import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite(
        "One replica cannot reach one backend",
        .enabled(if: PacketFilter.obstacle == nil, "\(PacketFilter.obstacle ?? "")"))
    struct ReachabilityTests {
        @Test("a dead backend is tried once a second by a replica, however many event loops found it dead")
        func probes() async throws {
            let filter = try PacketFilter()
            let options = Fleet.Options(
                replicas: 1, threads: 4, backends: 2, store: nil, hasOwnGroups: true)
            try await withFleet(options) { fleet in
                try await Threads.run {
                    let (port, group) = (fleet.backends[1].port, Fleet.group(of: 0))
                    // Until the first gives up, each loop has requests that wait for the backend.
                    try filter.cut(group: group, from: port, .drop)
                    let clients = try (0..<32).map { _ in try HTTPConnection(port: fleet.ports[0]) }
                    for (number, client) in clients.enumerated() {
                        try client.send(HTTPRequest(fields: ["X-Session-ID": "session-\(number)"]))
                    }
                    for client in clients { try #expect(client.receive().status == 200) }
                    try #expect(!Self.isUp(fleet.replicas[0], "b1"))
                    fleet.backends[1].process.kill()
                    try filter.heal()
                    try filter.count(group: group, to: port)
                    usleep(4_000_000)
                    let count = try filter.counted()
                    #expect((2...5).contains(count), "tried \(count) times in four seconds")
                    try fleet.restartBackend(1)
                    try #expect(Waiting.until(within: 5) { try Self.isUp(fleet.replicas[0], "b1") })
                }
            }
        }

        private static let sessions = (0..<60).map { "session-\($0)" }
        private static let options = Fleet.Options(hasAccessLog: true, hasOwnGroups: true)

        private static func isUp(_ replica: LimpetProcess, _ backend: String) throws -> Bool {
            try replica.metric("limpet_backend_up{service=\"app\",backend=\"\(backend)\"}") == 1
        }

        @Test(
            "the cut is seen by one replica and of one backend alone, and heals",
            arguments: [PacketFilter.Verdict.drop, .reject])
        func cut(_ verdict: PacketFilter.Verdict) async throws {
            let filter = try PacketFilter()
            try await withFleet(Self.options) { fleet in
                _ = try await fleet.agreement(on: Self.sessions)
                try await Threads.run {
                    try filter.cut(group: Fleet.group(of: 0), from: fleet.backends[1].port, verdict)
                    let client = FleetClient(fleet)
                    let answers = try Self.sessions.map { try client.backend(of: $0, at: 0) }
                    #expect(!answers.contains("b1"))
                    try #expect(!Self.isUp(fleet.replicas[0], "b1"))
                    for replica in fleet.replicas.dropFirst() { try #expect(Self.isUp(replica, "b1")) }
                    for backend in ["b0", "b2"] { try #expect(Self.isUp(fleet.replicas[0], backend)) }
                    try filter.heal()
                    try #expect(Waiting.until(within: 5) { try Self.isUp(fleet.replicas[0], "b1") })
                }
            }
        }
    }
}
