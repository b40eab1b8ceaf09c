import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// Each session is served by one replica, and then asked for at every replica.
    @Suite("The store goes away from replicas that are synced")
    struct StandbyOutageTests {
        /// All of them for the loss that is most common, and for each where `LIMPET_LONG_TESTS` is set.
        private static func count(_ loss: StoreLoss) -> Int {
            loss == .killed || ProcessInfo.processInfo.environment["LIMPET_LONG_TESTS"] != nil ? 10_000 : 4000
        }

        /// The store goes in the middle of the first requests, and stays away.
        private static func expectAtHome(_ crowd: SessionCrowd, while loss: StoreLoss) async throws {
            async let lost: Void = Threads.run { try loss.begin(crowd.fleet) }
            try await crowd.expectAtHome()
            try await lost
        }

        @Test(
            "thousands of sessions, moved ones and those of fewer backends among them, go where their record says",
            arguments: StoreLoss.allCases)
        func everySession(_ loss: StoreLoss) async throws {
            var options = Fleet.Options.growing()
            options.hasFaultProxies = true
            try await withFleet(options) { fleet in
                try await fleet.awaitSynced()
                let crowd = try await SessionCrowd.mixed(Self.count(loss), of: fleet)
                #expect(crowd.members.count { $0.kind == .moved } == Self.count(loss) / 20)
                try await fleet.settleSessions()
                try await Self.expectAtHome(crowd, while: loss)
                try await Threads.run { try loss.end(fleet) }
            }
        }

        @Test("sessions whose keys are in an application's cookie, too")
        func cookies() async throws {
            try await withFleet(.growing(sticky: SessionSource.appCookie.settings)) { fleet in
                try await fleet.awaitSynced()
                let crowd = try await SessionCrowd.mixed(2000, of: fleet, .appCookie)
                try await fleet.settleSessions()
                try await Self.expectAtHome(crowd, while: .killed)
            }
        }

        @Test("sessions whose keys a backend issued, too")
        func issued() async throws {
            let backends = try IssuingBackends(3, field: "Mcp-Session-Id")
            defer { backends.close() }
            let options = Fleet.Options(
                backends: 0, sticky: SessionSource.learn.settings, ownBackends: backends.ports)
            try await withFleet(options) { fleet in
                try await fleet.awaitSynced()
                let crowd = try await SessionCrowd.mixed(2000, of: fleet, .learn)
                try await fleet.settleSessions()
                try await Self.expectAtHome(crowd, while: .killed)
            }
        }
    }
}
