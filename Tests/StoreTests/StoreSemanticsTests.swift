import Affinity
import LimpetTestKit
import Testing

@testable import Store

/// What every store must answer (`StoreCase`), asked of those that are shipped. The models are asked in AffinityTests.
@Suite("What all stores answer alike")
struct StoreSemanticsTests {
    private static let ofMemory = StoreCase.all.filter { !$0.hasForeignValues }

    /// Time is real in it.
    private struct RealStore: CaseStore {
        let slack: Int64 = 10_000
        let driver: StoreDriver
        var server: RedisServer?

        func send(_ operations: [StoreOperation]) async throws -> [StoreResult] { try await driver.send(operations) }
        func pass(milliseconds: Int64) async throws { try await Task.sleep(for: .milliseconds(milliseconds)) }

        func putForeign(_ fingerprint: Fingerprint, lifetimeMilliseconds: Int64) throws {
            let server = try #require(server, "a store in memory holds nothing foreign")
            try server.command("SET", "limpet:\(fingerprint.text)", "hello", "PX", String(lifetimeMilliseconds))
        }
    }

    private struct TimedTable: CaseStore {
        let slack: Int64 = 0
        private var table = RecordTable(capacity: 100, seed: 1)
        private var now = Instant(nanoseconds: 1_000_000_000)

        mutating func send(_ operations: [StoreOperation]) -> [StoreResult] {
            operations.map { table.result($0, now: now) }
        }

        mutating func pass(milliseconds: Int64) { now = now.advanced(byMilliseconds: milliseconds) }

        func putForeign(_: Fingerprint, lifetimeMilliseconds: Int64) throws {
            Issue.record("a store in memory holds nothing foreign")
        }
    }

    @Test("A real Redis answers as every store must", arguments: [1, 2])
    func redis(loops: Int) async throws {
        let server = try RedisServer()
        let driver = try RouterDriver(StoreSettings.patient(server), loops: loops, connections: 1)
        try await driver.ready(within: .seconds(30))
        var store = RealStore(driver: driver.last, server: server)
        for storeCase in StoreCase.all where !storeCase.isExact {
            try server.command("FLUSHALL")
            let faults = try await storeCase.faults(of: &store)
            #expect(faults == [])
        }
        try await driver.stop()
    }

    @Test("The store in memory answers as every store must", .serialized, arguments: ofMemory.filter { !$0.isExact })
    func memory(_ storeCase: StoreCase) async throws {
        let records = MemoryRecords(capacity: 100, seed: 1)
        let driver = try StoreDriver { loop, _ in MemoryStore(records: records, eventLoop: loop) }
        var store = RealStore(driver: driver)
        let faults = try await storeCase.faults(of: &store)
        #expect(faults == [])
        try await driver.stop()
    }

    @Test("Records in memory are answered as in every store, to the millisecond", arguments: ofMemory)
    func table(_ storeCase: StoreCase) async throws {
        var store = TimedTable()
        let faults = try await storeCase.faults(of: &store)
        #expect(faults == [])
    }
}
