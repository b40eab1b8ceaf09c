import Affinity
import LimpetTestKit
import Store
import Testing

/// What every store must answer, asked of both.
@Suite("The semantics that all stores share")
struct StoreSemanticsTests {
    enum Kind: CaseIterable {
        case memory, redis
    }

    private static let one = BackendHash(bits: 0x1ABC_DEF1)
    private static let two = BackendHash(bits: 2)
    private static let three = BackendHash(bits: 3)
    private let key = Fingerprint.test(1)

    private func withStore(_ kind: Kind, _ body: (StoreDriver) async throws -> Void) async throws {
        switch kind {
        case .memory:
            let records = MemoryRecords(capacity: 100, seed: 1)
            let driver = try StoreDriver { loop, _ in MemoryStore(records: records, eventLoop: loop) }
            try await body(driver)
            try await driver.stop()
        case .redis:
            let server = try RedisServer()
            // A slow machine is no reason to be told "late" here.
            var settings = try StoreSettings(endpoint: RedisEndpoint("redis://127.0.0.1:\(server.port)"))
            settings.commandTimeout = .seconds(5)
            let driver = try StoreDriver.redis(settings)
            try await driver.ready()
            try await body(driver)
            try await driver.stop()
        }
    }

    private func expectRecord(
        _ answer: StoreAnswer, _ binding: Binding, within range: ClosedRange<Int64>,
        _ location: SourceLocation = #_sourceLocation
    ) {
        guard case .record(binding, let remaining) = answer else {
            Issue.record("\(answer) is not \(binding)", sourceLocation: location)
            return
        }
        #expect(range.contains(remaining), sourceLocation: location)
    }

    @Test("The first create writes, and whoever comes later is told what it wrote", arguments: Kind.allCases)
    func create(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            #expect(try await store.ask(.create(key, Self.one, lifetime: 60_000)) == .written)
            let later = try await store.ask(.create(key, Self.two, lifetime: 90_000))
            expectRecord(later, Binding(backend: Self.one, epoch: 1), within: 50_000...60_000)
            let briefer = try await store.ask(.create(key, Self.two, lifetime: 1000))
            expectRecord(briefer, Binding(backend: Self.one, epoch: 1), within: 1000...1000)
        }
    }
}
