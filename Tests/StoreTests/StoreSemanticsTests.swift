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
        _ answer: StoreAnswer, _ binding: Binding, _ range: ClosedRange<Int64> = 50_000...60_000,
        _ location: SourceLocation = #_sourceLocation
    ) {
        guard case .record(let record) = answer, record.binding == binding, record.born == nil else {
            Issue.record("\(answer) is not \(binding)", sourceLocation: location)
            return
        }
        #expect(range.contains(record.remaining), sourceLocation: location)
    }

    @Test("The first create writes, and whoever comes later is told what it wrote", arguments: Kind.allCases)
    func create(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            #expect(try await store.ask(.create(key, Self.one, lifetime: minute)) == .written)
            let first = Binding(backend: Self.one, epoch: 1)
            expectRecord(try await store.ask(.create(key, Self.two, lifetime: 90_000)), first)
            expectRecord(try await store.ask(.create(key, Self.two, lifetime: 1000)), first, 1000...1000)
        }
    }

    @Test("Of many creates in one turn exactly the first writes", arguments: Kind.allCases)
    func simultaneousCreates(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let backends = (1...50).map { BackendHash(bits: $0) }
            let answers = try await store.ask(backends.map { .create(key, $0, lifetime: minute) })
            #expect(answers[0] == .written)
            for answer in answers.dropFirst() { expectRecord(answer, Binding(backend: backends[0], epoch: 1)) }
        }
    }

    @Test("A restore writes where there is nothing or a lower epoch, else it is told", arguments: Kind.allCases)
    func restore(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let third = Binding(backend: Self.one, epoch: 3)
            let rival = Binding(backend: Self.two, epoch: 3)
            let fourth = Binding(backend: Self.two, epoch: 4)
            #expect(try await store.ask(.restore(key, third, lifetime: minute)) == .written)
            expectRecord(try await store.ask(.restore(key, third, lifetime: 90_000)), third)
            expectRecord(try await store.ask(.restore(key, rival, lifetime: minute)), third)
            #expect(try await store.ask(.restore(key, fourth, lifetime: minute)) == .written)
            expectRecord(try await store.ask(.restore(key, third, lifetime: minute)), fourth)
        }
    }

    @Test("A rebind is a compare-and-set, whose loser is told of the winner", arguments: Kind.allCases)
    func rebind(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let first = Binding(backend: Self.one, epoch: 1)
            _ = try await store.ask(.create(key, Self.one, lifetime: minute))
            let rebind = StoreQuestion.rebind(key, from: first, to: Self.two, lifetime: minute)
            let rival = StoreQuestion.rebind(key, from: first, to: Self.three, lifetime: minute)
            let answers = try await store.ask([rebind, rival])
            #expect(answers[0] == .written)
            expectRecord(answers[1], Binding(backend: Self.two, epoch: 2))
            let equal = Binding(backend: Self.three, epoch: 2)
            expectRecord(
                try await store.ask(.rebind(key, from: equal, to: Self.one, lifetime: minute)),
                Binding(backend: Self.two, epoch: 2))
        }
    }

    @Test("A rebind from an epoch that the store has lost writes", arguments: Kind.allCases)
    func rebindAboveTheRecord(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let fifth = Binding(backend: Self.one, epoch: 5)
            let rebind = StoreQuestion.rebind(key, from: fifth, to: Self.two, lifetime: minute)
            #expect(try await store.ask(rebind) == .written)
            let other = Fingerprint.test(2)
            _ = try await store.ask(.create(other, Self.three, lifetime: minute))
            #expect(try await store.ask(.rebind(other, from: fifth, to: Self.two, lifetime: minute)) == .written)
            expectRecord(try await store.ask(.touch(other, lifetime: minute)), Binding(backend: Self.two, epoch: 6))
        }
    }

    @Test("A touch gives the whole lifetime again and says what is there, or that nothing is", arguments: Kind.allCases)
    func touch(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            #expect(try await store.ask(.touch(key, lifetime: minute)) == .absent)
            _ = try await store.ask(.create(key, Self.one, lifetime: minute / 2))
            let first = Binding(backend: Self.one, epoch: 1)
            #expect(try await store.ask(.touch(key, lifetime: minute)) == .record(first, remaining: minute))
            expectRecord(try await store.ask(.create(key, Self.two, lifetime: minute)), first)
        }
    }

    @Test(
        "A look says what is there or that nothing is, and leaves it and its lifetime alone", arguments: Kind.allCases)
    func look(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            #expect(try await store.ask(.look(key)) == .absent)
            let (first, second) = (Binding(backend: Self.one, epoch: 1), Binding(backend: Self.two, epoch: 2))
            #expect(try await store.ask(.create(key, Self.one, lifetime: minute)) == .written)
            expectRecord(try await store.ask(.look(key)), first)
            expectRecord(try await store.ask(.look(key)), first)
            #expect(try await store.ask(.rebind(key, from: first, to: Self.two, lifetime: minute)) == .written)
            expectRecord(try await store.ask(.look(key)), second)
            // Told of the longer lifetime that the touch gave, so of the record's own.
            _ = try await store.ask(.touch(key, lifetime: 90_000))
            expectRecord(try await store.ask(.look(key)), second, 80_000...90_000)
            let tombstone = Binding(backend: .tombstone, epoch: 3)
            _ = try await store.ask(.drop(key, above: 0, lifetime: minute))
            expectRecord(try await store.ask(.look(key)), tombstone, 80_000...90_000)
        }
    }

    @Test("A look keeps nothing alive", arguments: Kind.allCases)
    func lookingOn(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            _ = try await store.ask(.create(key, Self.one, lifetime: 300))
            try await eventually(within: .seconds(5)) { try await store.ask(.look(key)) == .absent }
        }
    }

    @Test("A record ends with its lifetime", arguments: Kind.allCases)
    func expiry(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            _ = try await store.ask(.create(key, Self.one, lifetime: 30))
            try await Task.sleep(for: .milliseconds(60))
            #expect(try await store.ask(.touch(key, lifetime: minute)) == .absent)
            #expect(try await store.ask(.create(key, Self.two, lifetime: minute)) == .written)
        }
    }

    @Test("A tombstone is a record as any other", arguments: Kind.allCases)
    func tombstone(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let first = Binding(backend: Self.one, epoch: 1)
            _ = try await store.ask(.create(key, Self.one, lifetime: minute))
            let drop = StoreQuestion.rebind(key, from: first, to: .tombstone, lifetime: minute)
            #expect(try await store.ask(drop) == .written)
            let tombstone = Binding(backend: .tombstone, epoch: 2)
            expectRecord(try await store.ask(.create(key, Self.two, lifetime: minute)), tombstone)
            expectRecord(try await store.ask(.restore(key, first, lifetime: minute)), tombstone)
            let revive = StoreQuestion.rebind(key, from: tombstone, to: Self.two, lifetime: minute)
            #expect(try await store.ask(revive) == .written)
        }
    }

    @Test(
        "A drop leaves a tombstone above what is known, for the longer of both lifetimes", arguments: Kind.allCases)
    func drop(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            func tombstone(_ epoch: UInt32) -> Binding { Binding(backend: .tombstone, epoch: epoch) }
            let drop = StoreQuestion.drop(key, above: 0, lifetime: minute)
            expectRecord(try await store.ask(drop), tombstone(1), minute...minute)
            expectRecord(try await store.ask(drop), tombstone(2), minute...minute)
            _ = try await store.ask(.restore(key, Binding(backend: Self.one, epoch: 6), lifetime: 2 * minute))
            expectRecord(try await store.ask(.drop(key, above: 3, lifetime: minute)), tombstone(7), minute...minute)
            let found = try await store.ask(.create(key, Self.two, lifetime: 10 * minute))
            expectRecord(found, tombstone(7), 110_000...120_000)
            expectRecord(try await store.ask(.drop(key, above: 20, lifetime: minute)), tombstone(21), minute...minute)
        }
    }

    @Test("A drop has no epoch beyond the highest", arguments: Kind.allCases)
    func dropAtTheEnd(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let refused = StoreAnswer.unavailable(.refused)
            let last = Binding(backend: .tombstone, epoch: Binding.epochMax)
            let above = Binding.epochMax
            #expect(try await store.ask(.drop(key, above: above, lifetime: minute)) == refused)
            expectRecord(try await store.ask(.drop(key, above: above - 1, lifetime: minute)), last, minute...minute)
            #expect(try await store.ask(.drop(key, above: 1, lifetime: minute)) == refused)
            expectRecord(try await store.ask(.touch(key, lifetime: minute)), last)
        }
    }

    @Test("When the session began is kept with the record and told with it", arguments: Kind.allCases)
    func born(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let first = Binding(backend: Self.one, epoch: 1)
            let third = Binding(backend: Self.one, epoch: 3)
            #expect(try await store.ask(.create(key, Self.one, lifetime: minute, born: 7)) == .written)
            for question in [
                StoreQuestion.create(key, Self.two, lifetime: 1000), .touch(key, lifetime: 1000),
                .create(key, Self.two, lifetime: 1000, born: 8), .restore(key, first, lifetime: 1000),
                .rebind(key, from: Binding(backend: Self.two, epoch: 1), to: Self.two, lifetime: 1000),
            ] {
                let answer = try await store.ask(question)
                guard case .record(let record) = answer, record.binding == first, record.born == 7,
                    (1...1000).contains(record.remaining)
                else {
                    Issue.record("\(question): \(answer)")
                    continue
                }
            }
            let rebind = StoreQuestion.rebind(key, from: first, to: Self.two, lifetime: minute, born: .max)
            #expect(try await store.ask(rebind) == .written)
            let second = Binding(backend: Self.two, epoch: 2)
            let touch = StoreQuestion.touch(key, lifetime: minute)
            #expect(try await store.ask(touch) == .record(second, remaining: minute, born: .max))
            #expect(try await store.ask(.restore(key, third, lifetime: minute, born: 1)) == .written)
            #expect(try await store.ask(touch) == .record(third, remaining: minute, born: 1))
            #expect(try await store.ask(.restore(key, third, lifetime: minute, born: 0)) == .unavailable(.refused))
            let fourth = Binding(backend: .tombstone, epoch: 4)
            #expect(try await store.ask(.drop(key, above: 0, lifetime: minute)) == .record(fourth, remaining: minute))
            #expect(try await store.ask(touch) == .record(fourth, remaining: minute))
        }
    }

    @Test("The highest epoch is written, and none above it ever is", arguments: Kind.allCases)
    func lastEpochs(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let last = Binding(backend: Self.one, epoch: Binding.epochMax)
            let before = Binding(backend: Self.two, epoch: Binding.epochMax - 1)
            let beyond = Binding(backend: Self.one, epoch: Binding.epochMax + 1)
            #expect(try await store.ask(.restore(key, before, lifetime: minute)) == .written)
            #expect(try await store.ask(.rebind(key, from: before, to: Self.one, lifetime: minute)) == .written)
            expectRecord(try await store.ask(.touch(key, lifetime: minute)), last)
            let refused = StoreAnswer.unavailable(.refused)
            #expect(try await store.ask(.rebind(key, from: last, to: Self.two, lifetime: minute)) == refused)
            #expect(try await store.ask(.restore(key, beyond, lifetime: minute)) == refused)
            expectRecord(try await store.ask(.touch(key, lifetime: minute)), last)
        }
    }

    @Test("A guess is never written, nor anything without a lifetime", arguments: Kind.allCases)
    func unwritable(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let guess = Binding(backend: Self.one, epoch: 0)
            let refused = StoreAnswer.unavailable(.refused)
            let answers = try await store.ask([
                .restore(key, guess, lifetime: minute), .create(key, Self.one, lifetime: 0),
            ])
            #expect(answers == [refused, refused])
            #expect(try await store.ask(.touch(key, lifetime: minute)) == .absent)
        }
    }

    @Test("A thousand questions in one turn are each answered for itself", arguments: Kind.allCases)
    func pipelining(_ kind: Kind) async throws {
        try await withStore(kind) { store in
            let numbers = UInt64(1)...50
            let creates = numbers.map {
                StoreQuestion.create(.test($0), BackendHash(bits: UInt32($0)), lifetime: minute)
            }
            let created = try await store.ask(creates)
            #expect(created == numbers.map { _ in .written })
            let touches = (0..<1000).map { StoreQuestion.touch(.test(UInt64($0) % 60 + 1), lifetime: minute) }
            for (index, answer) in try await store.ask(touches).enumerated() {
                let number = UInt32(index % 60 + 1)
                let binding = Binding(backend: BackendHash(bits: number), epoch: 1)
                #expect(answer == (number <= 50 ? .record(binding, remaining: minute) : .absent))
            }
        }
    }
}
