import Affinity
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("A service that becomes a weighted one, or stops being one, while a request of it is decided")
struct KindSwapTests {
    private static let request =
        "POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"

    @Test("costs no request: it is served as it was decided", arguments: [true, false])
    func whileDeciding(_ becomesWeighted: Bool) async throws {
        let backend = try ScriptedBackend { connection, _ in
            let request = try connection.receive(until: "\r\n\r\nhi")
            try connection.send(ok(request.hasPrefix("POST / HTTP/1.1\r\n") ? "served" : "astray"))
        }
        defer { backend.close() }
        let child = Described(name: "child", backends: [.init("b0", backend.port)], isSticky: false)
        let plain = [Described(backends: [.init("b0", backend.port)]), child]
        let weighted = [Described(name: "app", children: [("child", 1)]), child]
        var options = ProxyHarness.Options()
        options.sources = [.header("X-Session-ID")]
        options.serviceLimits.exchange.responseHead = .seconds(3)
        options.store = { HeldStore($0) }
        try await withProxy(to: [], options) { proxy in
            try await proxy.apply(becomesWeighted ? plain : weighted)
            async let answer = Threads.run { try proxy.exchange(Self.request) }
            try await #expect(
                eventually { try await proxy.onLoop { ($0.store as? HeldStore)?.heldCount == 1 } })
            try await proxy.apply(becomesWeighted ? weighted : plain)
            try await proxy.onLoop { ($0.store as? HeldStore)?.release() }
            try await #expect(answer.hasSuffix("served"))
            // It is counted where the service of its name counts on.
            var counted: UInt64 = 0
            try await proxy.counters().services["app"]?.forEach { _, _, count in counted += count }
            #expect(counted == (becomesWeighted ? 1 : 0))
            var ofChild: UInt64 = 0
            try await proxy.counters().services["child"]?.forEach { _, _, count in ofChild += count }
            #expect(ofChild == (becomesWeighted ? 0 : 1))
        }
    }
}
