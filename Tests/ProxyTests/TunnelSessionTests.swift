import Affinity
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy
@testable import Store

@Suite("Sessions of tunnels")
struct TunnelSessionTests {
    @Test("A session does not expire while its tunnel is open, and does afterwards")
    func lives() async throws {
        let backend = try TunnelTests.switching { connection in _ = try connection.receiveAll() }
        defer { backend.close() }
        let records = MemoryRecords(capacity: 100, seed: 1)
        let exchanges = RecordedExchanges()
        var options = ProxyHarness.Options()
        options.idleTimeoutMilliseconds = 1000
        options.exchangeLog = exchanges
        options.store = { MemoryStore(records: records, eventLoop: $0) }
        func open(_ proxy: ProxyHarness) throws -> TCPSocket {
            let client = try proxy.connect()
            try client.send(TunnelTests.upgrade())
            try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
            return client
        }
        try await withProxy(to: [backend.port], options) { proxy in
            try open(proxy).close()
            try await #expect(eventually { exchanges.all.count == 1 })
            let session = try #require(exchanges.all.first?.fingerprint)
            func isKnown() -> Bool {
                if case .record = records.result(.read(session), now: .now) { true } else { false }
            }
            let client = try open(proxy)
            for _ in 0..<10 {
                try await Task.sleep(for: .milliseconds(400))
                #expect(isKnown())
            }
            client.close()
            try await #expect(eventually { !isKnown() })
        }
    }
}
