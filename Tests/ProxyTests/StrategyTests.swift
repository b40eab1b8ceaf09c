import Affinity
import LimpetTestKit
import Testing

@testable import Proxy

@Suite("Requests without a session")
struct StrategyTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    private func serve(_ count: Int, _ proxy: ProxyHarness) throws -> [String: Int] {
        let bodies = try (0..<count).map { _ in String(try proxy.exchange(Self.get).suffix(2)) }
        return Dictionary(bodies.map { ($0, 1) }, uniquingKeysWith: +)
    }

    @Test("take turns by weight; by hrw one client stays on one backend; both survive a swap")
    func strategies() async throws {
        let backends = try (0..<3).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        var options = ProxyHarness.Options()
        options.isSticky = false
        try await withProxy(to: backends.map(\.port), options) { proxy in
            try #expect(serve(9, proxy) == ["b0": 3, "b1": 3, "b2": 3])
            var described = Described(
                backends: (0..<3).map { .init("b\($0)", backends[$0].port, weight: UInt16($0 + 1)) })
            try await proxy.apply(described)
            try #expect(serve(12, proxy) == ["b0": 2, "b1": 4, "b2": 6])
            described.strategy = .hrw
            try await proxy.apply(described)
            let homes = try serve(6, proxy)
            #expect(homes.count == 1)
            described.backends.reverse()
            try await proxy.apply(described)
            try #expect(serve(6, proxy) == homes)
        }
    }

    @Test("by p2c go to the backend with fewer of this loop's in flight, those of sessions included, across swaps")
    func powerOfTwoChoices() async throws {
        let released = ScriptedBackend.Flag()
        let slow = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            _ = released.isSet(within: 20)
            try connection.send(ok("b0"))
        }
        let fast = try ScriptedBackend.answering(ok("b1"))
        defer { slow.close(); fast.close() }
        let only = Described(backends: [.init("b0", slow.port)])
        var both = Described(backends: [.init("b1", fast.port), .init("b0", slow.port)])
        both.strategy = .p2c
        try await withProxy(to: [slow.port]) { proxy in
            async let held = Threads.run(3) { number in
                try proxy.exchange("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(number)\r\nConnection: close\r\n\r\n")
            }
            try await #expect(eventually { try await proxy.inFlight == ["b0": 3] })
            try await proxy.apply(both)
            try #expect(serve(20, proxy) == ["b1": 20])
            released.set()
            _ = try await held
            try await #expect(eventually { try await proxy.inFlight == ["b0": 0, "b1": 0] })
            try await proxy.apply(only)
            try #expect(serve(1, proxy) == ["b0": 1])
        }
    }
}

extension ProxyHarness {
    /// Requests at the backends of the first service, as its pools and its decisions count them.
    fileprivate var inFlight: [String: Int] {
        get async throws {
            try await onLoop { worker in
                let service = worker.services[0]
                let counts = service.pools.enumerated().map { index, pool in
                    (pool.backend.name, pool.inFlight == service.affinity.inFlight[index] ? pool.inFlight : -1)
                }
                return Dictionary(uniqueKeysWithValues: counts)
            }
        }
    }
}
