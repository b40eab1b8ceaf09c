import Testing

@testable import Affinity

@Suite("What the cache keeps of sessions that others serve")
struct StandbyCacheTests {
    let now = Instant(nanoseconds: 5_000_000_000_000)
    let session = Fingerprint(high: 0, low: 77)
    let cache = BindingCache(entries: 1, shards: 1)

    private func binding(_ backend: UInt32, _ epoch: UInt32) -> Binding {
        Binding(backend: BackendHash(bits: backend), epoch: epoch)
    }

    private func know(
        _ backend: UInt32, _ epoch: UInt32, _ kind: BindingCache.Kind = .confirmed, age: Int64 = 1000,
        lifetimeMilliseconds: Int64 = 100_000, of session: Fingerprint? = nil
    ) {
        cache.store(
            BindingCache.Entry(
                binding: binding(backend, epoch), kind: kind, confirmedAt: now.advanced(byMilliseconds: -age),
                expiresAt: now.advanced(byMilliseconds: lifetimeMilliseconds)), for: session ?? self.session,
            now: now.advanced(byMilliseconds: -age))
    }

    private func hear(
        _ backend: UInt32, _ epoch: UInt32, lifetimeMilliseconds: Int64 = 100_000, lineageAge: Int64 = 10_000,
        after milliseconds: Int64 = 0, of session: Fingerprint? = nil
    ) {
        let time = now.advanced(byMilliseconds: milliseconds)
        cache.applyAnnounced(
            StoredRecord(binding(backend, epoch), remainingMilliseconds: lifetimeMilliseconds),
            of: session ?? self.session, livesFrom: time, lineageBegan: now.advanced(byMilliseconds: -lineageAge),
            now: time)
    }

    private func meet(
        _ backend: UInt32, _ epoch: UInt32, lifetimeMilliseconds: Int64 = 100_000, lineageAge: Int64 = 10_000,
        sentAgo: Int64 = 0
    ) {
        cache.applyRead(
            StoredRecord(binding(backend, epoch), remainingMilliseconds: lifetimeMilliseconds), of: session,
            sentAt: now.advanced(byMilliseconds: -sentAgo), lineageBegan: now.advanced(byMilliseconds: -lineageAge),
            now: now)
    }

    private var known: BindingCache.Entry? { cache.peek(session, now: now) }

    @Test("an announced record is standby, suspect, and of the lifetime that it has from the heartbeat before it")
    func announced() throws {
        cache.applyAnnounced(
            StoredRecord(binding(5, 3), remainingMilliseconds: 60_000, createdAtSeconds: 9), of: session,
            livesFrom: now.advanced(byMilliseconds: -200), lineageBegan: .distantPast, now: now)
        let entry = try #require(known)
        #expect(entry.isStandby && entry.isSuspect && entry.kind == .confirmed && !entry.maySuffice)
        #expect(entry.binding == binding(5, 3) && entry.createdAtSeconds == 9)
        let left = entry.expiresAt.milliseconds(since: now)
        #expect(left <= 59_800 && left > 59_700)
        #expect(cache.counts() == BindingCache.Counts(standby: 1))
    }

    @Test("of one lineage the last that is heard counts, epochs aside: a key may begin anew")
    func lastHeardCounts() {
        hear(5, 7)
        hear(6, 1, after: 100)
        #expect(known?.binding == binding(6, 1))
    }

    @Test("standby of an earlier lineage yields only to a higher epoch or to the same binding")
    func earlierLineage() {
        hear(5, 7)
        hear(6, 1, lineageAge: -1000, after: 2000)
        #expect(known?.binding == binding(5, 7))
        hear(6, 7, lineageAge: -1000, after: 2000)
        #expect(known?.binding == binding(5, 7))
        hear(6, 8, lineageAge: -1000, after: 2000)
        #expect(known?.binding == binding(6, 8))
    }

    @Test("an announcement replaces nothing that this replica knows by itself", arguments: BindingCache.Kind.allCases)
    func ownKnowledge(kind: BindingCache.Kind) {
        let epoch: UInt32 = kind == .guess ? 0 : 2
        know(5, epoch, kind)
        hear(6, 9)
        #expect(known?.binding == (kind == .guess ? binding(6, 9) : binding(5, 2)))
        #expect(known?.isStandby == (kind == .guess))
    }

    @Test("an expired entry of any kind is replaced by what is announced", arguments: BindingCache.Kind.allCases)
    func expiredIsReplaced(kind: BindingCache.Kind) {
        know(5, 6, kind, lifetimeMilliseconds: -100)
        hear(6, 1)
        #expect(known?.binding == binding(6, 1) && known?.isStandby == true)
    }

    @Test("a heard move changes standby, which stays suspect")
    func heardMove() {
        hear(5, 1)
        cache.receive(binding(6, 2), of: session, now: now)
        #expect(known?.binding == binding(6, 2))
        #expect(known?.isStandby == true && known?.maySuffice == false)
    }

    @Test(
        "a heard move of what the store has not confirmed to this replica is standby: a key may begin anew after it",
        arguments: [BindingCache.Kind.guess, .dirty])
    func heardMoveOfOwnDecision(kind: BindingCache.Kind) {
        know(5, 0, kind)
        cache.receive(binding(6, 3), of: session, now: now)
        #expect(known?.binding == binding(6, 3) && known?.isStandby == true)
        hear(7, 1, after: 100)
        #expect(known?.binding == binding(7, 1))
    }

    @Test("an answer to this replica makes standby confirmed")
    func answered() {
        hear(5, 4)
        let entry = BindingCache.Entry(
            binding: binding(5, 4), kind: .confirmed, confirmedAt: now, expiresAt: now.advanced(byMilliseconds: 50_000))
        #expect(cache.fill(entry, for: session, sentAt: now, now: now))
        #expect(known?.isStandby == false && known?.maySuffice == true)
        #expect(cache.counts() == BindingCache.Counts(confirmed: 1))
    }

    @Test("at equal epochs dirty wins over standby, and standby over a guess")
    func ties() {
        hear(5, 1)
        know(6, 1, .dirty, age: 0)
        #expect(known?.binding == binding(6, 1))
    }

    // MARK: What a scan meets

    @Test("a scan corrects what this replica has confirmed, and that is current again")
    func metCorrects() {
        know(5, 4)
        meet(6, 5)
        #expect(known?.binding == binding(6, 5))
        #expect(known?.isStandby == false && known?.isSuspect == false)
    }

    @Test("what a scan meets is standby if this replica has not confirmed it")
    func metIsStandby() {
        meet(6, 5)
        #expect(known?.binding == binding(6, 5) && known?.isStandby == true && known?.isSuspect == true)
    }

    @Test("what was heard since the page was requested stands")
    func heardSince() {
        hear(5, 4)
        meet(6, 9, sentAgo: 50)
        #expect(known?.binding == binding(5, 4))
        cache.remove(session)
        cache.receive(binding(5, 4), of: session, now: now)
        meet(6, 3, sentAgo: 50)
        #expect(known == nil)
    }

    @Test("a page of one lineage replaces older standby, whatever its epoch")
    func metReplaces() {
        hear(5, 9, after: -1000)
        meet(6, 1)
        #expect(known?.binding == binding(6, 1))
    }

    @Test("what the store holds less of after a loss is left as it is, to be offered: a lower epoch or less life")
    func unmet() {
        let lineage: Int64 = 500
        for standby in [true, false] {
            cache.remove(session)
            if standby { hear(5, 4, after: -1000) } else { know(5, 4) }
            meet(6, 3, lineageAge: lineage)
            #expect(known?.binding == binding(5, 4))
            meet(6, 4, lineageAge: lineage)
            #expect(known?.binding == binding(5, 4))
            meet(5, 4, lifetimeMilliseconds: 1000, lineageAge: lineage)
            var position: BindingCache.Position? = BindingCache.Position()
            let began = now.advanced(byMilliseconds: -lineage)
            #expect(cache.unconfirmed(from: &position, sets: 10, before: began, now: now) == [session])
            #expect(position == nil)
            meet(5, 4, lifetimeMilliseconds: 90_000, lineageAge: lineage)
            position = BindingCache.Position()
            #expect(cache.unconfirmed(from: &position, sets: 10, before: began, now: now).isEmpty)
            #expect(known?.isStandby == standby)
        }
    }

    @Test("a record by somebody who did not know does not silence what was once confirmed, nor what is not told yet")
    func conflicts() {
        know(5, 1)
        meet(6, 1)
        #expect(known?.binding == binding(5, 1))
        cache.remove(session)
        know(5, 1, .dirty)
        meet(6, 7)
        #expect(known?.binding == binding(5, 1))
    }

    // MARK: Expired entries

    @Test("an expired entry is remembered until its slot is needed, a tombstone is not")
    func expired() {
        know(5, 3, lifetimeMilliseconds: -100)
        #expect(known == nil)
        #expect(cache.expired(session, now: now)?.binding == binding(5, 3))
        let dropped = Fingerprint(high: 0, low: 78)
        know(0, 3, lifetimeMilliseconds: -100, of: dropped)
        #expect(cache.expired(dropped, now: now) == nil)
        hear(6, 1)
        #expect(cache.expired(session, now: now) == nil)
    }

    // MARK: Eviction

    private func others(_ range: Range<UInt64>) -> [Fingerprint] { range.map { Fingerprint(high: 0, low: $0) } }

    @Test("standby takes no slot of a session served here, and says what it lost")
    func standbyYields() {
        for other in others(1..<16) { know(5, 1, of: other) }
        hear(6, 1)
        #expect(known != nil && cache.losses == 0)
        let second = Fingerprint(high: 0, low: 99)
        hear(6, 1, after: 2000, of: second)
        #expect(cache.losses == 1)
        #expect(others(1..<16).allSatisfy { cache.peek($0, now: now) != nil })
        // A session that is served here takes the slot of standby.
        know(5, 1, of: Fingerprint(high: 0, low: 100))
        #expect(cache.counts().standby == 0 && cache.losses == 2)
    }

    @Test("a flood of guesses takes the slots of expired entries and other guesses, and of nothing that is known")
    func guessesYield() {
        for other in others(1..<9) { hear(5, 1, of: other) }
        for other in others(9..<15) { know(5, 1, of: other) }
        know(5, 1, lifetimeMilliseconds: -100, of: Fingerprint(high: 0, low: 15))
        for other in others(1000..<1100) { know(6, 0, .guess, age: 0, of: other) }
        #expect(others(1..<15).allSatisfy { cache.peek($0, now: now) != nil })
        #expect(cache.counts() == BindingCache.Counts(confirmed: 6, standby: 8, guesses: 2))
        #expect(cache.losses == 0)
    }

    @Test("a pass over the cache finds every session by its whole fingerprint, and only its own kind")
    func pass() {
        let cache = BindingCache(entries: 5000, shards: 8)
        var random = Random(seed: 41)
        var expected: Set<Fingerprint> = []
        for number in 0..<3000 {
            let session = random.fingerprint()
            let isKnown = number % 3 > 0
            cache.store(
                BindingCache.Entry(
                    binding: binding(5, 1), kind: isKnown ? .confirmed : .dirty,
                    confirmedAt: now.advanced(byMilliseconds: number % 2 == 0 ? -5000 : 0),
                    expiresAt: now.advanced(byMilliseconds: 9000)), for: session, now: now)
            if isKnown, number % 2 == 0 { expected.insert(session) }
        }
        var position: BindingCache.Position? = BindingCache.Position()
        var found: [Fingerprint] = []
        var calls = 0
        while position != nil {
            found += cache.unconfirmed(
                from: &position, sets: 7, before: now.advanced(byMilliseconds: -1000), now: now)
            calls += 1
        }
        #expect(calls > 50)
        #expect(Set(found) == expected && found.count == expected.count)
    }
}
