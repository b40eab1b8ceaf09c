import Affinity
import LimpetTestKit
import Testing

@testable import Store

@Suite("What a session costs the store")
struct StoreMemoryTests {
    private static let sessions = 100_000

    @Test(
        "At most 150 bytes of Redis's memory a session, 175 where sessions end by age",
        arguments: [(nil, 150), (1_780_000_000, 175)] as [(UInt32?, Int)])
    func bytes(_ createdAtSeconds: UInt32?, _ limit: Int) async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.patient(server))
        try await store.ready()
        let before = try usedMemory(server)
        var random = SplitMix(seed: 5)
        for _ in 0..<Self.sessions / 2000 {
            let operations = (0..<2000).map { _ in
                StoreOperation.create(
                    Fingerprint(high: random.next(), low: random.next()), BackendHash(bits: .max),
                    lifetimeMilliseconds: 86_400_000, createdAtSeconds: createdAtSeconds)
            }
            #expect(try await store.send(operations).allSatisfy { $0 == .written })
        }
        #expect(try server.command("DBSIZE") == String(Self.sessions))
        let bytes = Double(try usedMemory(server) - before) / Double(Self.sessions)
        print("\(bytes) bytes a session\(createdAtSeconds == nil ? "" : " with when it began")")
        #expect(bytes <= Double(limit))
        try await store.stop()
    }

    private func usedMemory(_ server: RedisServer) throws -> Int {
        let line = try server.command("INFO", "memory").split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("used_memory:") }
        return try #require(line.flatMap { Int($0.drop { $0 != ":" }.dropFirst()) })
    }
}
