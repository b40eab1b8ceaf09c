import Affinity
import LimpetTestKit
import Testing

@testable import Store

@Suite("A store that is back", .serialized)
struct StoreReturnTests {
    private let one = BackendHash(bits: 1)
    private let two = BackendHash(bits: 2)
    private let minute: Int64 = 60_000

    @Test("It is asked one question first, then twice as many; the others are told at once")
    func limited() async throws {
        let server = try RedisServer()
        var settings = try StoreSettings.plain(port: server.port)
        settings.commandTimeout = .milliseconds(200)
        let store = try StoreDriver.redis(settings)
        try await store.ready()
        let operations = (1...40).map { StoreOperation.touch(.test($0), lifetimeMilliseconds: 60_000) }
        #expect(try await store.send(operations).allSatisfy { $0 == .absent })
        server.freeze()
        _ = try await store.send(Array(operations.prefix(3)))
        #expect(try await !store.isAvailable)
        server.thaw()
        try await store.ready()
        for admitted in [1, 2, 4] {
            let results = try await store.send(operations)
            #expect(results.prefix(admitted).allSatisfy { $0 == .absent })
            #expect(results.dropFirst(admitted).allSatisfy { $0 == .unavailable(.away) })
        }
        try await Task.sleep(for: .milliseconds(StoreBreaker.limitingMilliseconds))
        #expect(try await store.send(operations).allSatisfy { $0 == .absent })
        try await store.stop()
    }

    @Test("A short pause costs some answers but not the connection")
    func shortPause() async throws {
        // On a machine that stalls, half a second may pass until Redis has answered: then the connection is given up.
        var isKept = false
        for _ in 0..<3 where !isKept { isKept = try await keepsConnection() }
        #expect(isKept)
    }

    /// Whether the connection outlives a pause.
    private func keepsConnection() async throws -> Bool {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.plain(port: server.port))
        try await store.ready()
        server.freeze()
        let operations = (1...3).map { StoreOperation.create(.test($0), one, lifetimeMilliseconds: minute) }
        #expect(try await store.send(operations) == operations.map { _ in .unavailable(.late) })
        #expect(try await !store.isAvailable)
        try await Task.sleep(for: .milliseconds(100))
        server.thaw()
        try await store.ready()
        let counters = try await store.counters()
        #expect(counters.failures(.late) == 3)
        // They were written all the same: a question told late may have been carried out.
        let create = StoreOperation.create(.test(2), two, lifetimeMilliseconds: 50_000)
        let found = StoreResult.record(Binding(backend: one, epoch: 1), remainingMilliseconds: 50_000)
        try await eventually { try await store.send(create) == found }
        try await store.stop()
        return counters.connections == 1
    }
}
