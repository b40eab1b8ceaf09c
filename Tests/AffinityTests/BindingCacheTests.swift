import Foundation
import Testing

@testable import Affinity

@Suite("Binding cache")
struct BindingCacheTests {
    let now = Instant(nanoseconds: 5_000_000_000_000)
    let fingerprint = Fingerprint(high: 77, low: 0)

    private func entry(
        _ epoch: UInt32, _ kind: BindingCache.Kind = .confirmed, backend: UInt32 = 5, age: Int64 = 0,
        lifetimeMilliseconds: Int64 = 100_000
    ) -> BindingCache.Entry {
        let since = now.advanced(byMilliseconds: -age)
        return BindingCache.Entry(
            binding: Binding(backend: BackendHash(bits: backend), epoch: epoch), kind: kind, confirmedAt: since,
            expiresAt: now.advanced(byMilliseconds: lifetimeMilliseconds))
    }

    /// Stores sessions that share the set of a cache with one set.
    private func fill(_ cache: BindingCache, _ count: UInt64, _ entry: BindingCache.Entry) {
        for low in 0..<count { cache.store(entry, for: Fingerprint(high: low, low: 1000 + low), now: now) }
    }

    @Test("what is stored is found, to the tick, and by no other fingerprint")
    func roundTrip() throws {
        let cache = BindingCache(entries: 100)
        let most = BindingCache.Entry(
            binding: Binding(backend: BackendHash(bits: 1 << 29 - 1), epoch: 1 << 24 - 1), kind: .dirty,
            confirmedAt: now,
            expiresAt: now.advanced(byMilliseconds: 100_000))
        #expect(cache.store(most, for: fingerprint, now: now))
        let found = try #require(cache.lookup(fingerprint, now: now))
        #expect(found.binding == most.binding && found.kind == .dirty)
        #expect(found.confirmedAt <= now && found.confirmedAt > now.advanced(byMilliseconds: -68))
        #expect(found.expiresAt <= most.expiresAt && found.expiresAt > most.expiresAt.advanced(byMilliseconds: -68))
        #expect(cache.lookup(Fingerprint(high: 77, low: 1), now: now) == nil)
        #expect(cache.peek(fingerprint, now: now) == found)
        cache.remove(fingerprint)
        #expect(cache.peek(fingerprint, now: now) == nil)
        #expect(cache.counts().all == 0)
    }

    @Test(
        "a cache for a million sessions holds all but 7 in 1,000 of a million, and all but 1 in 1,000 of 800,000",
        arguments: [(1_000_000, 993_000), (800_000, 799_200)])
    func capacity(sessions: Int, least: Int) {
        let cache = BindingCache(entries: 1_000_000)
        #expect(cache.byteCount <= 60 << 20)
        var random = Random(seed: 31)
        let record = StoredRecord(
            Binding(backend: BackendHash(bits: 5), epoch: 1), remainingMilliseconds: 100_000)
        for _ in 0..<sessions {
            cache.applyAnnounced(
                record, of: random.fingerprint(), livesFrom: now, lineageBegan: .distantPast, now: now)
        }
        random = Random(seed: 31)
        var held = 0
        for _ in 0..<sessions where cache.peek(random.fingerprint(), now: now) != nil { held += 1 }
        #expect(held >= least, "\(held)")
        #expect(cache.counts().standby == held && cache.losses == UInt64(sessions - held))
    }

    @Test(
        "a cache of any size and number of shards works", arguments: [(1, 64), (16, 1), (100, 3), (5000, 4096), (0, 0)])
    func sizes(entries: Int, shards: Int) {
        let cache = BindingCache(entries: entries, shards: shards)
        var random = Random(seed: 32)
        for _ in 0..<1000 {
            let fingerprint = random.fingerprint()
            #expect(cache.store(entry(1), for: fingerprint, now: now))
            #expect(cache.peek(fingerprint, now: now) != nil)
        }
        let edges = [Fingerprint(high: .max, low: .max), Fingerprint(high: 0, low: 0)]
        for edge in edges {
            cache.store(entry(1), for: edge, now: now)
            #expect(cache.peek(edge, now: now) != nil)
        }
    }

    #if os(Linux)
    @Test("an unused cache costs no resident memory, however large")
    func lazyMemory() throws {
        func resident() throws -> Int {
            let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return try #require(Int(pages[1])) * 4096
        }
        let before = try resident()
        let cache = BindingCache(entries: 20_000_000)
        #expect(cache.lookup(fingerprint, now: now) == nil)
        #expect(cache.counts().all == 0)
        #expect(cache.byteCount > 900 << 20)
        // Other tests run beside this one and take some.
        #expect(try resident() - before < 200 << 20)
    }
    #endif

    @Test("an entry is gone when its lifetime is over, and a lower epoch may follow")
    func expiry() {
        let cache = BindingCache(entries: 100)
        cache.store(entry(9, lifetimeMilliseconds: 1000), for: fingerprint, now: now)
        let later = now.advanced(byMilliseconds: 1000)
        #expect(cache.peek(fingerprint, now: now.advanced(byMilliseconds: 900)) != nil)
        #expect(cache.peek(fingerprint, now: later) == nil)
        #expect(cache.lookup(fingerprint, now: later) == nil)
        #expect(cache.store(entry(1), for: fingerprint, now: later))
        #expect(cache.peek(fingerprint, now: later)?.binding.epoch == 1)
        #expect(cache.counts() == BindingCache.Counts(confirmed: 1))
    }

    @Test("an entry that is over when it comes supersedes what it should, and takes no other's place")
    func overAlready() {
        let cache = BindingCache(entries: 1, shards: 1)
        fill(cache, 16, entry(1))
        #expect(!cache.store(entry(1, lifetimeMilliseconds: 0), for: fingerprint, now: now))
        #expect(cache.counts().all == 16)
        let first = Fingerprint(high: 0, low: 1000)
        #expect(cache.peek(first, now: now) != nil)
        #expect(cache.store(entry(2, lifetimeMilliseconds: -5), for: first, now: now))
        #expect(cache.peek(first, now: now) == nil)
    }

    @Test(
        "a lifetime of centuries is cut, not wrapped", arguments: [Int64.max, 1_000_000_000_000_000, 200_000_000_000])
    func longLifetime(lifetimeMilliseconds: Int64) {
        let cache = BindingCache(entries: 100)
        cache.store(entry(1, lifetimeMilliseconds: lifetimeMilliseconds), for: fingerprint, now: now)
        #expect(cache.peek(fingerprint, now: now.advanced(byMilliseconds: 2 * 365 * 86_400_000)) != nil)
    }

    @Test("time may wrap the ticks")
    func wrap() throws {
        let cache = BindingCache(entries: 100)
        let edge = Instant(nanoseconds: 1 << 58 - 1_000_000_000)
        let across = BindingCache.Entry(
            binding: entry(1).binding, kind: .confirmed, confirmedAt: edge,
            expiresAt: edge.advanced(byMilliseconds: 10_000))
        cache.store(across, for: fingerprint, now: edge)
        let found = try #require(cache.peek(fingerprint, now: edge.advanced(byMilliseconds: 5000)))
        #expect(edge.milliseconds(since: found.confirmedAt) <= 68)
        #expect(across.expiresAt.milliseconds(since: found.expiresAt) <= 68)
        #expect(cache.peek(fingerprint, now: edge.advanced(byMilliseconds: 10_001)) == nil)
    }

    @Test("a higher epoch is never overwritten by a lower one; at an equal one the better knowledge stands")
    func precedence() {
        let kinds = BindingCache.Kind.allCases
        for old in kinds {
            for new in kinds {
                for (oldEpoch, newEpoch) in [(2, 1), (1, 2), (2, 2)] as [(UInt32, UInt32)] {
                    let cache = BindingCache(entries: 100)
                    cache.store(entry(oldEpoch, old, backend: 1), for: fingerprint, now: now)
                    let kept = cache.store(entry(newEpoch, new, backend: 2), for: fingerprint, now: now)
                    let wins = newEpoch > oldEpoch || newEpoch == oldEpoch && new.rawValue >= old.rawValue
                    #expect(kept == wins, "\(new) \(newEpoch) on \(old) \(oldEpoch)")
                    #expect(cache.peek(fingerprint, now: now)?.binding.backend.bits == (wins ? 2 : 1))
                    #expect(cache.counts().all == 1)
                }
            }
        }
    }

    @Test("of two confirmations of one epoch the one asked later stands, in whatever order they come")
    func laterConfirmation() {
        let cache = BindingCache(entries: 100)
        cache.store(entry(2, backend: 1, age: 100), for: fingerprint, now: now)
        #expect(!cache.store(entry(2, backend: 2, age: 500), for: fingerprint, now: now))
        #expect(cache.store(entry(2, backend: 3, age: 0), for: fingerprint, now: now))
        #expect(cache.peek(fingerprint, now: now)?.binding.backend.bits == 3)
    }

    @Test("a full set gives up expired entries first, then the confirmed one that was seen once and is idle longest")
    func victims() {
        let cache = BindingCache(entries: 1, shards: 1)
        for low in 0..<16 as Range<UInt64> {
            let moment = now.advanced(byMilliseconds: Int64(low) * 2000)
            cache.store(
                entry(1, lifetimeMilliseconds: low == 9 ? 40_000 : 1_000_000), for: Fingerprint(high: 0, low: low),
                now: moment)
        }
        let later = now.advanced(byMilliseconds: 40_000)
        for low in [0, 2] as [UInt64] { _ = cache.lookup(Fingerprint(high: 0, low: low), now: later) }
        func held() -> Set<UInt64> {
            Set((0..<30).filter { cache.peek(Fingerprint(high: 0, low: $0), now: later) != nil })
        }
        cache.store(entry(1, lifetimeMilliseconds: 1_000_000), for: Fingerprint(high: 0, low: 20), now: later)
        #expect(held() == Set(0..<16).subtracting([9]).union([20]))
        cache.store(entry(1, lifetimeMilliseconds: 1_000_000), for: Fingerprint(high: 0, low: 21), now: later)
        #expect(held() == Set(0..<16).subtracting([9, 1]).union([20, 21]))
    }

    @Test("dirty entries are evicted last, guesses that served a session before them")
    func preciousKnowledge() {
        let cache = BindingCache(entries: 1, shards: 1)
        for low in 0..<8 as Range<UInt64> {
            cache.store(entry(2, .dirty), for: Fingerprint(high: 0, low: low), now: now)
        }
        for low in 8..<12 as Range<UInt64> {
            cache.store(entry(0, .guess), for: Fingerprint(high: 0, low: low), now: now)
            _ = cache.lookup(Fingerprint(high: 0, low: low), now: now)
        }
        let later = now.advanced(byMilliseconds: 50_000)
        for low in 1000..<2000 as Range<UInt64> {
            let flood = Fingerprint(high: 0, low: low)
            cache.store(entry(1), for: flood, now: later)
            _ = cache.lookup(flood, now: later)
        }
        #expect((0..<12).allSatisfy { cache.peek(Fingerprint(high: 0, low: $0), now: later) != nil })
        #expect(cache.counts() == BindingCache.Counts(confirmed: 4, dirty: 8, guesses: 4))
        for low in 3000..<3008 as Range<UInt64> {
            cache.store(entry(2, .dirty), for: Fingerprint(high: 0, low: low), now: later)
        }
        #expect((0..<8).allSatisfy { cache.peek(Fingerprint(high: 0, low: $0), now: later) != nil })
        #expect(cache.counts().dirty == 16)
    }

    @Test(
        "a flood of sessions that come once evicts none that came twice",
        arguments: [BindingCache.Kind.confirmed, .guess])
    func flood(kind: BindingCache.Kind) {
        let cache = BindingCache(entries: 1, shards: 1)
        for low in 0..<15 as Range<UInt64> {
            cache.store(entry(1), for: Fingerprint(high: 0, low: low), now: now)
            _ = cache.lookup(Fingerprint(high: 0, low: low), now: now)
        }
        for low in 1000..<3000 as Range<UInt64> {
            cache.store(entry(kind == .guess ? 0 : 1, kind), for: Fingerprint(high: 0, low: low), now: now)
        }
        #expect((0..<15).allSatisfy { cache.peek(Fingerprint(high: 0, low: $0), now: now) != nil })
    }

    @Test("a touch is claimed once, and an extension of the lifetime makes room for the next")
    func touches() {
        let cache = BindingCache(entries: 100)
        #expect(!cache.claimTouch(fingerprint, number: 1, now: now))
        cache.store(entry(1), for: fingerprint, now: now)
        #expect(cache.claimTouch(fingerprint, number: 1, now: now))
        #expect(!cache.claimTouch(fingerprint, number: 1, now: now))
        #expect(cache.claimTouch(fingerprint, number: 3, now: now))
        #expect(!cache.claimTouch(fingerprint, number: 2, now: now))
        cache.store(entry(1), for: fingerprint, now: now)
        #expect(cache.peek(fingerprint, now: now)?.touches == 3)
        cache.store(entry(1, lifetimeMilliseconds: 200_000), for: fingerprint, now: now)
        #expect(cache.peek(fingerprint, now: now)?.touches == 0)
    }

    @Test("threads that share the cache never see half an entry, nor an epoch that falls")
    func threads() async {
        let cache = BindingCache(entries: 64, shards: 2)
        let now = self.now
        let broken = await withTaskGroup(of: Int.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var random = Random(seed: UInt64(worker))
                    var seen = [UInt32](repeating: 0, count: 8)
                    var broken = 0
                    for _ in 0..<20_000 {
                        let session = Int(random.next() % 8)
                        let fingerprint = Fingerprint(high: UInt64(session) << 61, low: UInt64(session))
                        if let found = cache.lookup(fingerprint, now: now) {
                            if found.binding.backend.bits != found.binding.epoch || found.binding.epoch < seen[session]
                            {
                                broken += 1
                            }
                            seen[session] = found.binding.epoch
                        }
                        let epoch = UInt32(random.next() % 1000 + 1)
                        let entry = BindingCache.Entry(
                            binding: Binding(backend: BackendHash(bits: epoch), epoch: epoch), kind: .confirmed,
                            confirmedAt: now,
                            expiresAt: now.advanced(byMilliseconds: 10_000))
                        cache.store(entry, for: fingerprint, now: now)
                    }
                    return broken
                }
            }
            return await group.reduce(0, +)
        }
        #expect(broken == 0)
        #expect(cache.counts().all == 8)
    }
}
