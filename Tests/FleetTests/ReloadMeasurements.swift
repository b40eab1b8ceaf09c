import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// What a reload of a large configuration costs. The figures mean something for an optimised build alone, which
    /// `LIMPET_RELEASE_BIN` names.
    @Suite(
        "Measurements of reloading",
        .enabled(if: ProcessInfo.processInfo.environment["LIMPET_MEASURE"] != nil, "LIMPET_MEASURE is not set"))
    struct ReloadMeasurements {
        /// A thousand routers and as many services of five servers each, beside the fleet's own.
        ///
        /// - Parameter version: stands in every rule.
        private static func large(_ fleet: Fleet, version: Int) -> String {
            var (routers, services) = ("", "")
            for number in 0..<1000 {
                let servers = (0..<5).map {
                    "{ url: \"http://10.\(number / 250).\(number % 250).\($0 + 1):8080\", name: web-\($0) }"
                }
                let rule = "Host(`h\(number).example`) && PathPrefix(`/v\(version)`)"
                let balancer = "{ sticky: { cookie: {} }, servers: [ \(servers.joined(separator: ", ")) ] }"
                routers += "    r\(number): { rule: \"\(rule)\", service: s\(number) }\n"
                services += "    s\(number): { loadBalancer: \(balancer) }\n"
            }
            return fleet.http
                .replacing("  routers:\n", with: "  routers:\n" + routers)
                .replacing("  services:\n", with: "  services:\n" + services)
        }

        /// A client's worst latencies, in milliseconds, of the first so many seconds and of the rest.
        private static func worst(_ samples: [FixedRate.Sample], before time: Double) -> (quiet: Double, busy: Double) {
            let (quiet, busy) = (samples.filter { $0.time < time }, samples.filter { $0.time >= time })
            return (quiet.quantile(1), busy.quantile(1))
        }

        @Test(
            "1,000 routers and 5,000 servers are reloaded within a second; no request is more than 20 ms later for it")
        func large() async throws {
            let dynamic = Fleet.Dynamic { fleet in try fleet.say(Self.large(fleet, version: 0)) }
            try await withFleet(.init(replicas: 1, backends: 3, store: nil, dynamic: dynamic)) { fleet in
                let (replica, quietSeconds) = (fleet.replicas[0], 4.0)
                let samples = try await fleet.underLoad(FixedRate(rate: 500, threads: 4)) { number in
                    ("session-\(number % 50)", 0)
                } _: { _ in
                    Thread.sleep(forTimeInterval: quietSeconds)
                    for version in 1...5 {
                        try fleet.say(Self.large(fleet, version: version))
                        #expect(try fleet.allReloaded(since: [Double(version - 1)]))
                    }
                    Thread.sleep(forTimeInterval: 0.5)
                }
                let seconds = replica.errorLog.split(separator: "\n").filter { $0.contains("was reloaded") }
                    .compactMap { $0.firstMatch(of: /"seconds":"([0-9.e-]+)"/).flatMap { Double($0.1) } }
                let worst = Self.worst(samples, before: quietSeconds)
                print("reloads of 1,000 routers and 5,000 servers: \(seconds) s")
                print("worst latency: \(worst.quiet) ms without, \(worst.busy) ms during reloads; \(samples.figures)")
                #expect(samples.failures.isEmpty)
                #expect(seconds.count == 5 && seconds.allSatisfy { $0 < 1 })
                #expect(worst.busy < worst.quiet + 20)
            }
        }
    }
}
