import Affinity
import Foundation
import LimpetTestKit
import Logging
import NIOCore
import NIOPosix
import Routing
import Store
import Testing

@testable import Proxy

/// How long an event loop is busy with a swap. Wants a release build: `LIMPET_MEASURE=1 swift test -c release
/// -Xswiftc -enable-testing --filter SwapMeasurements`.
@Suite("Cost of a swap", .enabled(if: ProcessInfo.processInfo.environment["LIMPET_MEASURE"] != nil))
struct SwapMeasurements {
    @Test("1,000 services with 5 backends each: below 20 ms of a loop's time, unchanged or changed throughout")
    func swap() async throws {
        let first = (0..<1000).map { Self.described($0, weight: 1) }
        let second = (0..<1000).map { Self.described($0, weight: 2) }
        try await withProxy(to: [1]) { proxy in
            try await proxy.apply(all: first)
            for (name, described, isSame) in [
                ("unchanged", first, true), ("changed", second, false), ("back", first, false),
            ] {
                let time = try await proxy.apply(all: described, keepingMemberships: isSame)
                print("a swap of 1,000 services, \(name): \(time)")
                #expect(time < .milliseconds(20))
            }
        }
    }

    private static func described(_ number: Int, weight: UInt16) -> Described {
        Described(
            name: "service-\(number)",
            backends: (0..<5).map { .init("backend-\(number)-\($0)", 20_000 + $0, weight: weight + UInt16($0)) })
    }
}

extension ProxyHarness {
    /// Returns how long the loop was busy.
    @discardableResult
    fileprivate func apply(all described: [Described], keepingMemberships: Bool = false) async throws -> Duration {
        let old = current
        var snapshot = try Described.snapshot(described, options, succeeding: old)
        if keepingMemberships {
            for index in snapshot.services.indices {
                snapshot.services[index].membership = old[index].membership
                snapshot.services[index].health = old[index].health
            }
        }
        let time = try await onLoop { [snapshot] worker in
            let start = ContinuousClock.now
            worker.apply(snapshot)
            return ContinuousClock.now - start
        }
        replace(snapshot.services)
        return time
    }
}
