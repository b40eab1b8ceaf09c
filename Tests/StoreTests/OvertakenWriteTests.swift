import Affinity
import LimpetTestKit
import Testing

@testable import Store

/// What the question about a write without a result rests on (decision 49), with a real redis-server.
@Suite("A write that was given up", .serialized)
struct OvertakenWriteTests {
    private static let backends = (BackendHash(bits: 1), BackendHash(bits: 2))
    private let minute: Int64 = 60_000

    @Test("is carried out after later answers, over a connection that was closed; a record that stands by then stays")
    func overtaken() async throws {
        let server = try RedisServer()
        let proxy = try FaultProxy(target: server.port)
        let primary = RedisPrimary(try StoreSettings.plain(port: proxy.port), connections: 2)
        let first = try StoreDriver.redis(primary)
        try await first.ready()
        let other = try StoreDriver.redis(primary)
        try await other.ready()
        try proxy.set(.delay(milliseconds: 3000, .toServer), on: .oneData)
        let creates = ([1, 2] as [UInt64]).map {
            StoreOperation.create(.test($0), Self.backends.0, lifetimeMilliseconds: minute)
        }
        #expect(try await first.send(creates) == creates.map { _ in .unavailable(.late) })
        // Redis is heard meanwhile, so only the late connection is left.
        try await eventually(within: .seconds(2)) {
            _ = try await other.send(.read(.test(1)))
            return try await first.counters().connectionFailures == 1
        }
        let question = StoreOperation.create(.test(1), Self.backends.1, lifetimeMilliseconds: minute)
        _ = try await Self.answer(to: question, from: other)
        #expect(try await bound(1, other) == Self.backends.1)
        #expect(try await bound(2, other) == nil)
        try await eventually { try await bound(2, other) == Self.backends.0 }
        #expect(try await bound(1, other) == Self.backends.1)
        try await first.stop()
        try await other.stop()
        proxy.stop()
    }

    /// Asks until the store has answered: on a busy machine an answer may be late.
    private static func answer(to operation: StoreOperation, from store: StoreDriver) async throws -> StoreResult {
        var answer = StoreResult.unavailable(.away)
        try await eventually {
            answer = try await store.send(operation)
            if case .unavailable = answer { return false }
            return true
        }
        return answer
    }

    private func bound(_ session: UInt64, _ store: StoreDriver) async throws -> BackendHash? {
        guard case .record(let record) = try await Self.answer(to: .read(.test(session)), from: store) else {
            return nil
        }
        return record.binding.backend
    }
}
