import Affinity
import Testing

@testable import Store

@Suite("Records in memory")
struct RecordTableTests {
    private let backend = BackendHash(bits: 5)

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("There are never more than the capacity, and the newest is always there")
    func bound() {
        var table = RecordTable(capacity: 100, seed: 9)
        for number in 1...5000 as ClosedRange<UInt64> {
            let result = table.result(
                .create(.test(number), backend, lifetimeMilliseconds: 60_000), now: at(Int64(number)))
            #expect(result == .written)
            #expect(table.count <= 100)
            let touch = table.result(.touch(.test(number), lifetimeMilliseconds: 60_000), now: at(Int64(number)))
            #expect(touch == .record(Binding(backend: backend, epoch: 1), remainingMilliseconds: 60_000))
        }
        #expect(table.count == 100)
    }

    @Test("Those nearest to their end make room first")
    func eviction() {
        var table = RecordTable(capacity: 1000, seed: 9)
        for number in 0..<500 as Range<UInt64> {
            _ = table.result(.create(.test(number), backend, lifetimeMilliseconds: 1000), now: at(0))
            _ = table.result(.create(.test(number + 500), backend, lifetimeMilliseconds: 900_000), now: at(0))
        }
        for number in 2000..<2200 as Range<UInt64> {
            _ = table.result(.create(.test(number), backend, lifetimeMilliseconds: 900_000), now: at(1))
        }
        let kept = (500..<1000 as Range<UInt64>).filter {
            table.result(.touch(.test($0), lifetimeMilliseconds: 1), now: at(2)) != .absent
        }
        #expect(kept.count >= 490)
    }

    @Test("A record over its lifetime is no record, and its place is used again")
    func expiry() {
        var table = RecordTable(capacity: 10, seed: 1)
        _ = table.result(.create(.test(1), backend, lifetimeMilliseconds: 100), now: at(0))
        let create = StoreOperation.create(.test(1), BackendHash(bits: 6), lifetimeMilliseconds: 100)
        #expect(
            table.result(create, now: at(99)) == .record(Binding(backend: backend, epoch: 1), remainingMilliseconds: 1))
        #expect(table.result(create, now: at(100)) == .written)
        #expect(table.count == 1)
    }
}
