import Foundation
import LimpetTestKit
import Testing

@testable import Proxy

@Suite("Clients that speak HTTP/2 at once and are gone at once")
struct HTTP2PriorKnowledgeTests {
    @Test("leave nothing open")
    func gone() async throws {
        let backend = try ScriptedBackend.answering(ok("x"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            // They are gone before the loop sees them: the first write is answered with a reset, and the second fails.
            async let held: Void = proxy.onLoop { _ in usleep(500_000) }
            usleep(100_000)
            for _ in 0..<20 {
                let client = try proxy.connect()
                try client.send(HTTP2Frame.preface + HTTP2Frame.head(HTTP2Frame.request))
                client.close()
            }
            try await held
            try await #expect(eventually { try await proxy.counters().http2.connections == 20 })
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
            try await #expect(proxy.counters().requestsInFlight == 0)
        }
    }
}
