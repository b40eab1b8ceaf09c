import Affinity
import LimpetTestKit
import Testing

@testable import Store

@Suite("A store that is back", .serialized)
struct StoreReturnTests {
    @Test("It is asked one question first, then twice as many; the others are told at once")
    func limited() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.plain(port: server.port))
        try await store.ready()
        let operations = (1...40).map { StoreOperation.touch(.test($0), lifetimeMilliseconds: 60_000) }
        #expect(try await store.send(operations).allSatisfy { $0 == .absent })
        server.freeze()
        _ = try await store.send(Array(operations.prefix(3)))
        #expect(try await !store.isAvailable)
        server.thaw()
        try await store.ready(within: .seconds(2))
        for admitted in [1, 2, 4] {
            let results = try await store.send(operations)
            #expect(results.prefix(admitted).allSatisfy { $0 == .absent })
            #expect(results.dropFirst(admitted).allSatisfy { $0 == .unavailable(.away) })
        }
        try await Task.sleep(for: .milliseconds(StoreBreaker.limitingMilliseconds))
        #expect(try await store.send(operations).allSatisfy { $0 == .absent })
        try await store.stop()
    }
}
