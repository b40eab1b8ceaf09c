import Affinity
import LimpetTestKit
import Store
import Testing

/// What every store must answer, asked of both.
@Suite("What all stores answer alike")
struct StoreSemanticsTests {
    enum Kind: CaseIterable {
        case memory, redis
    }

    private static let one = BackendHash(bits: 0x1ABC_DEF1)
    private static let two = BackendHash(bits: 2)
    private static let three = BackendHash(bits: 3)
    private let key = Fingerprint.test(1)
    private let minute: Int64 = 60_000

    private func withStore(_ kind: Kind, _ body: (StoreDriver) async throws -> Void) async throws {
        switch kind {
        case .memory:
            let records = MemoryRecords(capacity: 100, seed: 1)
            let driver = try StoreDriver { loop, _ in MemoryStore(records: records, eventLoop: loop) }
            try await body(driver)
            try await driver.stop()
        case .redis:
            let server = try RedisServer()
            let driver = try StoreDriver.redis(StoreSettings.patient(server))
            try await driver.ready()
            try await body(driver)
            try await driver.stop()
        }
    }

    private func expectRecord(
        _ result: StoreResult, _ binding: Binding, _ range: ClosedRange<Int64> = 50_000...60_000,
        _ location: SourceLocation = #_sourceLocation
    ) {
        guard case .record(let record) = result, record.binding == binding, record.createdAtSeconds == nil else {
            Issue.record("\(result) is not \(binding)", sourceLocation: location)
            return
        }
        #expect(range.contains(record.remaining), sourceLocation: location)
    }

    @Test("The first create writes, and whoever comes later is told what it wrote", arguments: Kind.allCases)
    func create(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            #expect(try await store.send(.create(key, Self.one, lifetime: minute)) == .written)
            let first = Binding(backend: Self.one, epoch: 1)
            expectRecord(try await store.send(.create(key, Self.two, lifetime: 90_000)), first)
            expectRecord(try await store.send(.create(key, Self.two, lifetime: 1000)), first, 1000...1000)
        }
    }

    @Test("Of many creates in one turn exactly the first writes", arguments: Kind.allCases)
    func simultaneousCreates(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let backends = (1...50).map { BackendHash(bits: $0) }
            let results = try await store.send(backends.map { .create(key, $0, lifetime: minute) })
            #expect(results[0] == .written)
            for result in results.dropFirst() { expectRecord(result, Binding(backend: backends[0], epoch: 1)) }
        }
    }

    @Test("A restore writes where there is nothing or a lower epoch, else it is told", arguments: Kind.allCases)
    func restore(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let third = Binding(backend: Self.one, epoch: 3)
            let rival = Binding(backend: Self.two, epoch: 3)
            let fourth = Binding(backend: Self.two, epoch: 4)
            #expect(try await store.send(.restore(key, third, lifetime: minute)) == .written)
            expectRecord(try await store.send(.restore(key, third, lifetime: 90_000)), third)
            expectRecord(try await store.send(.restore(key, rival, lifetime: minute)), third)
            #expect(try await store.send(.restore(key, fourth, lifetime: minute)) == .written)
            expectRecord(try await store.send(.restore(key, third, lifetime: minute)), fourth)
        }
    }

    @Test("A rebind is a compare-and-set, whose loser is told of the winner", arguments: Kind.allCases)
    func rebind(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let first = Binding(backend: Self.one, epoch: 1)
            _ = try await store.send(.create(key, Self.one, lifetime: minute))
            let rebind = StoreOperation.rebind(key, from: first, to: Self.two, lifetime: minute)
            let rival = StoreOperation.rebind(key, from: first, to: Self.three, lifetime: minute)
            let results = try await store.send([rebind, rival])
            #expect(results[0] == .written)
            expectRecord(results[1], Binding(backend: Self.two, epoch: 2))
            let equal = Binding(backend: Self.three, epoch: 2)
            expectRecord(
                try await store.send(.rebind(key, from: equal, to: Self.one, lifetime: minute)),
                Binding(backend: Self.two, epoch: 2))
        }
    }

    @Test("A rebind from an epoch that the store has lost writes", arguments: Kind.allCases)
    func rebindAboveTheRecord(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let fifth = Binding(backend: Self.one, epoch: 5)
            let rebind = StoreOperation.rebind(key, from: fifth, to: Self.two, lifetime: minute)
            #expect(try await store.send(rebind) == .written)
            let other = Fingerprint.test(2)
            _ = try await store.send(.create(other, Self.three, lifetime: minute))
            #expect(try await store.send(.rebind(other, from: fifth, to: Self.two, lifetime: minute)) == .written)
            expectRecord(try await store.send(.touch(other, lifetime: minute)), Binding(backend: Self.two, epoch: 6))
        }
    }

    @Test("A touch gives the whole lifetime again and says what is there, or that nothing is", arguments: Kind.allCases)
    func touch(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            #expect(try await store.send(.touch(key, lifetime: minute)) == .absent)
            _ = try await store.send(.create(key, Self.one, lifetime: minute / 2))
            let first = Binding(backend: Self.one, epoch: 1)
            #expect(try await store.send(.touch(key, lifetime: minute)) == .record(first, remaining: minute))
            expectRecord(try await store.send(.create(key, Self.two, lifetime: minute)), first)
        }
    }

    @Test(
        "A look says what is there or that nothing is, and leaves it and its lifetime alone", arguments: Kind.allCases)
    func look(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            #expect(try await store.send(.read(key)) == .absent)
            let (first, second) = (Binding(backend: Self.one, epoch: 1), Binding(backend: Self.two, epoch: 2))
            #expect(try await store.send(.create(key, Self.one, lifetime: minute)) == .written)
            expectRecord(try await store.send(.read(key)), first)
            expectRecord(try await store.send(.read(key)), first)
            #expect(try await store.send(.rebind(key, from: first, to: Self.two, lifetime: minute)) == .written)
            expectRecord(try await store.send(.read(key)), second)
            // Told of the longer lifetime that the touch gave, so of the record's own.
            _ = try await store.send(.touch(key, lifetime: 90_000))
            expectRecord(try await store.send(.read(key)), second, 80_000...90_000)
            let tombstone = Binding(backend: .tombstone, epoch: 3)
            _ = try await store.send(.drop(key, above: 0, lifetime: minute))
            expectRecord(try await store.send(.read(key)), tombstone, 80_000...90_000)
        }
    }

    @Test("A look keeps nothing alive", arguments: Kind.allCases)
    func lookingOn(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            _ = try await store.send(.create(key, Self.one, lifetime: 300))
            try await eventually(within: .seconds(5)) { try await store.send(.read(key)) == .absent }
        }
    }

    @Test("A record ends with its lifetime", arguments: Kind.allCases)
    func expiry(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            _ = try await store.send(.create(key, Self.one, lifetime: 30))
            try await Task.sleep(for: .milliseconds(60))
            #expect(try await store.send(.touch(key, lifetime: minute)) == .absent)
            #expect(try await store.send(.create(key, Self.two, lifetime: minute)) == .written)
        }
    }

    @Test("A tombstone is a record as any other", arguments: Kind.allCases)
    func tombstone(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let first = Binding(backend: Self.one, epoch: 1)
            _ = try await store.send(.create(key, Self.one, lifetime: minute))
            let drop = StoreOperation.rebind(key, from: first, to: .tombstone, lifetime: minute)
            #expect(try await store.send(drop) == .written)
            let tombstone = Binding(backend: .tombstone, epoch: 2)
            expectRecord(try await store.send(.create(key, Self.two, lifetime: minute)), tombstone)
            expectRecord(try await store.send(.restore(key, first, lifetime: minute)), tombstone)
            let revive = StoreOperation.rebind(key, from: tombstone, to: Self.two, lifetime: minute)
            #expect(try await store.send(revive) == .written)
        }
    }

    @Test(
        "A drop leaves a tombstone above what is known, for the longer of both lifetimes", arguments: Kind.allCases)
    func drop(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            func tombstone(_ epoch: UInt32) -> Binding { Binding(backend: .tombstone, epoch: epoch) }
            let drop = StoreOperation.drop(key, above: 0, lifetime: minute)
            expectRecord(try await store.send(drop), tombstone(1), minute...minute)
            expectRecord(try await store.send(drop), tombstone(2), minute...minute)
            _ = try await store.send(.restore(key, Binding(backend: Self.one, epoch: 6), lifetime: 2 * minute))
            expectRecord(try await store.send(.drop(key, above: 3, lifetime: minute)), tombstone(7), minute...minute)
            let found = try await store.send(.create(key, Self.two, lifetime: 10 * minute))
            expectRecord(found, tombstone(7), 110_000...120_000)
            expectRecord(try await store.send(.drop(key, above: 20, lifetime: minute)), tombstone(21), minute...minute)
        }
    }

    @Test("A drop has no epoch beyond the highest", arguments: Kind.allCases)
    func dropAtTheEnd(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let refused = StoreResult.unavailable(.refused)
            let last = Binding(backend: .tombstone, epoch: Binding.epochMax)
            let above = Binding.epochMax
            #expect(try await store.send(.drop(key, above: above, lifetime: minute)) == refused)
            expectRecord(try await store.send(.drop(key, above: above - 1, lifetime: minute)), last, minute...minute)
            #expect(try await store.send(.drop(key, above: 1, lifetime: minute)) == refused)
            expectRecord(try await store.send(.touch(key, lifetime: minute)), last)
        }
    }

    @Test("When the session began is kept with the record and told with it", arguments: Kind.allCases)
    func createdAtSeconds(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let first = Binding(backend: Self.one, epoch: 1)
            let third = Binding(backend: Self.one, epoch: 3)
            #expect(try await store.send(.create(key, Self.one, lifetime: minute, createdAtSeconds: 7)) == .written)
            for operation in [
                StoreOperation.create(key, Self.two, lifetime: 1000), .touch(key, lifetime: 1000),
                .create(key, Self.two, lifetime: 1000, createdAtSeconds: 8), .restore(key, first, lifetime: 1000),
                .rebind(key, from: Binding(backend: Self.two, epoch: 1), to: Self.two, lifetime: 1000),
            ] {
                let result = try await store.send(operation)
                guard case .record(let record) = result, record.binding == first, record.createdAtSeconds == 7,
                    (1...1000).contains(record.remaining)
                else {
                    Issue.record("\(operation): \(result)")
                    continue
                }
            }
            let rebind = StoreOperation.rebind(key, from: first, to: Self.two, lifetime: minute, createdAtSeconds: .max)
            #expect(try await store.send(rebind) == .written)
            let second = Binding(backend: Self.two, epoch: 2)
            let touch = StoreOperation.touch(key, lifetime: minute)
            #expect(try await store.send(touch) == .record(second, remaining: minute, createdAtSeconds: .max))
            #expect(try await store.send(.restore(key, third, lifetime: minute, createdAtSeconds: 1)) == .written)
            #expect(try await store.send(touch) == .record(third, remaining: minute, createdAtSeconds: 1))
            #expect(try await store.send(.restore(key, third, lifetime: minute, createdAtSeconds: 0)) == .unavailable(.refused))
            let fourth = Binding(backend: .tombstone, epoch: 4)
            #expect(try await store.send(.drop(key, above: 0, lifetime: minute)) == .record(fourth, remaining: minute))
            #expect(try await store.send(touch) == .record(fourth, remaining: minute))
        }
    }

    @Test("The highest epoch is written, and none above it ever is", arguments: Kind.allCases)
    func lastEpochs(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let last = Binding(backend: Self.one, epoch: Binding.epochMax)
            let before = Binding(backend: Self.two, epoch: Binding.epochMax - 1)
            let beyond = Binding(backend: Self.one, epoch: Binding.epochMax + 1)
            #expect(try await store.send(.restore(key, before, lifetime: minute)) == .written)
            #expect(try await store.send(.rebind(key, from: before, to: Self.one, lifetime: minute)) == .written)
            expectRecord(try await store.send(.touch(key, lifetime: minute)), last)
            let refused = StoreResult.unavailable(.refused)
            #expect(try await store.send(.rebind(key, from: last, to: Self.two, lifetime: minute)) == refused)
            #expect(try await store.send(.restore(key, beyond, lifetime: minute)) == refused)
            expectRecord(try await store.send(.touch(key, lifetime: minute)), last)
        }
    }

    @Test("A guess is never written, nor anything without a lifetime", arguments: Kind.allCases)
    func unwritable(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let guess = Binding(backend: Self.one, epoch: 0)
            let refused = StoreResult.unavailable(.refused)
            let results = try await store.send([
                .restore(key, guess, lifetime: minute), .create(key, Self.one, lifetime: 0),
            ])
            #expect(results == [refused, refused])
            #expect(try await store.send(.touch(key, lifetime: minute)) == .absent)
        }
    }

    @Test("A thousand questions in one turn are each answered for itself", arguments: Kind.allCases)
    func pipelining(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let numbers = UInt64(1)...50
            let creates = numbers.map {
                StoreOperation.create(.test($0), BackendHash(bits: UInt32($0)), lifetime: minute)
            }
            let created = try await store.send(creates)
            #expect(created == numbers.map { _ in .written })
            let touches = (0..<1000).map { StoreOperation.touch(.test(UInt64($0) % 60 + 1), lifetime: minute) }
            for (index, result) in try await store.send(touches).enumerated() {
                let number = UInt32(index % 60 + 1)
                let binding = Binding(backend: BackendHash(bits: number), epoch: 1)
                #expect(result == (number <= 50 ? .record(binding, remaining: minute) : .absent))
            }
        }
    }
}
