import Synchronization

/// What this replica knows about bindings: a table of fixed size that all its event loops share.
///
/// Set-associative, 16 slots a set: the upper half of the fingerprint selects the set, and the lower half is the tag. A
/// slot takes 32 bytes, and 8 more for the upper half. There are 1.57 slots for each requested entry, so that with that
/// many live sessions fewer than 2 in 100 find their set full. The memory of all sets is reserved at once and touched
/// only as sessions arrive; it never grows.
///
/// Unchecked: the memory of a shard's sets is accessed only under that shard's lock.
package final class BindingCache: @unchecked Sendable {
    /// How an entry was created. At equal epochs, confirmed wins over dirty, dirty over standby, and standby over a
    /// guess.
    package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// Hashed without knowledge or store, epoch 0.
        case guess = 1
        /// Moved, or learnt from a response, without the store, which does not know yet.
        case dirty = 2
        /// As the store reported, wrote or published it. May be a tombstone.
        case confirmed = 3
    }

    package struct Entry: Hashable, Sendable {
        package var binding: Binding
        package var kind: Kind
        /// For a confirmed entry: when the operation that confirmed it was sent, or when its message was heard. For
        /// other kinds: when it was decided. Resolution 67 ms, rounded down.
        package var confirmedAt: Instant
        /// Resolution 67 ms, rounded down.
        package var expiresAt: Instant
        /// The store must be queried before the entry is used, however recently it was confirmed: the result came late
        /// or from another server, a message may have overtaken it, or its lifetime may not be the record's.
        package var isSuspect: Bool
        /// Confirmed to another replica: this replica knows it from an announcement or a scan of the store, and asks
        /// the store before its first use. Always confirmed and suspect.
        package var isStandby: Bool
        /// When the session began, in seconds since 1970 by the wall clock, if known.
        package var createdAtSeconds: UInt32?
        /// Touches sent since the lifetime was last extended.
        package var touches: UInt8

        package init(
            binding: Binding, kind: Kind, confirmedAt: Instant, expiresAt: Instant, isSuspect: Bool = false,
            isStandby: Bool = false, createdAtSeconds: UInt32? = nil, touches: UInt8 = 0
        ) {
            self.binding = binding
            self.kind = kind
            self.confirmedAt = confirmedAt
            self.expiresAt = expiresAt
            self.isSuspect = isSuspect
            self.isStandby = isStandby
            self.createdAtSeconds = createdAtSeconds
            self.touches = touches
        }
    }

    /// Slots in use. Expired entries count until they are replaced.
    package struct Counts: Hashable, Sendable {
        package var confirmed = 0
        package var standby = 0
        package var dirty = 0
        package var guesses = 0

        package init(confirmed: Int = 0, standby: Int = 0, dirty: Int = 0, guesses: Int = 0) {
            self.confirmed = confirmed
            self.standby = standby
            self.dirty = dirty
            self.guesses = guesses
        }

        package var all: Int { confirmed + standby + dirty + guesses }

        mutating func add(_ difference: Int, to kind: Kind, isStandby: Bool) {
            switch kind {
            case .confirmed where isStandby: standby += difference
            case .confirmed: confirmed += difference
            case .dirty: dirty += difference
            case .guess: guesses += difference
            }
        }
    }

    package static let entriesMax = 1 << 32

    private let lostCount = Atomic<UInt64>(0)
    private let memory: UnsafeMutableRawPointer
    let shards: UnsafeMutablePointer<CacheShard>
    private let shardBits: UInt64
    let setsPerShard: Int

    /// - Parameters:
    ///   - entries: number of live sessions to hold, 1 to `entriesMax`.
    ///   - shards: number of locks; rounded up to a power of two, at most 1024.
    package init(entries: Int, shards: Int = 64) {
        let sets = (min(max(1, entries), Self.entriesMax) * 98 + 999) / 1000
        var bits = 0
        while 1 << bits < min(shards, 1024, sets) { bits += 1 }
        let shardCount = 1 << bits
        setsPerShard = (sets + shardCount - 1) / shardCount
        shardBits = UInt64(bits)
        memory = .allocate(byteCount: shardCount * setsPerShard * CacheSet.byteCount, alignment: 64)
        self.shards = .allocate(capacity: shardCount)
        for shard in 0..<shardCount {
            let sets = memory + shard * setsPerShard * CacheSet.byteCount
            (self.shards + shard).initialize(to: CacheShard(sets: sets, setCount: setsPerShard))
        }
    }

    deinit {
        shards.deinitialize(count: shardCount)
        shards.deallocate()
        memory.deallocate()
    }

    var shardCount: Int { 1 << Int(shardBits) }

    /// Bytes reserved, locks included.
    package var byteCount: Int {
        shardCount
            * (setsPerShard * CacheSet.byteCount + (setsPerShard + 63) / 64 * 8 + MemoryLayout<CacheShard>.stride)
    }

    /// The session's live entry, marked as used.
    package func lookup(_ fingerprint: Fingerprint, now: Instant) -> Entry? {
        let (shard, index) = place(fingerprint)
        return shards[shard].state.withLock { _ in
            guard let (set, way, kind) = live(fingerprint, shard, index, now) else { return nil }
            set[way].markUsed(now: now)
            return set[way].entry(kind, now: now)
        }
    }

    /// The session's live entry, not marked as used.
    package func peek(_ fingerprint: Fingerprint, now: Instant) -> Entry? {
        let (shard, index) = place(fingerprint)
        return shards[shard].state.withLock { _ in
            guard let (set, way, kind) = live(fingerprint, shard, index, now) else { return nil }
            return set[way].entry(kind, now: now)
        }
    }

    /// Keeps an entry, unless a better one is known: a live entry of the session wins by a higher epoch; at equal
    /// epochs by its kind, then by not being suspect, then by a later confirmation. Returns whether the new entry
    /// was kept. An expired entry only replaces the session's own entry, and never takes another session's slot.
    @discardableResult
    package func store(_ entry: Entry, for fingerprint: Fingerprint, now: Instant) -> Bool {
        let (shard, index) = place(fingerprint)
        return shards[shard].state.withLock { keep(entry, fingerprint, shard, index, now, &$0) }
    }

    /// Keeps a result of the store, as `store` does, unless a higher epoch was heard since its operation was sent: then
    /// returns false. If that can no longer be determined, the entry is suspect.
    package func fill(_ entry: Entry, for fingerprint: Fingerprint, sentAt: Instant, now: Instant) -> Bool {
        let (shard, index) = place(fingerprint)
        return shards[shard].state.withLock { state in
            var entry = entry
            switch state.floors.judge(fingerprint, epoch: entry.binding.epoch, sentAt: sentAt) {
            case .superseded: return false
            case .unsure: entry.isSuspect = true
            case .admitted: break
            }
            _ = keep(entry, fingerprint, shard, index, now, &state)
            return true
        }
    }

    /// Applies a message: the store now holds this binding. The session's live entry takes it, unless that has a higher
    /// epoch, and keeps its lifetime. If that lifetime may not be the record's, the entry becomes suspect. What the
    /// store has not confirmed to this replica becomes standby. Results in flight with a lower epoch will not be kept.
    package func receive(_ binding: Binding, of fingerprint: Fingerprint, now: Instant) {
        let (shard, index) = place(fingerprint)
        shards[shard].state.withLock { state in
            state.floors.raise(fingerprint, to: binding.epoch, now: now)
            guard let (set, way, kind) = live(fingerprint, shard, index, now) else { return }
            var entry = set[way].entry(kind, now: now)
            guard binding.epoch >= entry.binding.epoch else { return }
            // The lifetime is the record's only if the store had confirmed it, and if sessions do not end by age.
            entry.isStandby = entry.isStandby || entry.kind != .confirmed
            entry.isSuspect = entry.isStandby || entry.createdAtSeconds != nil
            (entry.binding, entry.kind, entry.confirmedAt) = (binding, .confirmed, now)
            put(entry, fingerprint, set, way, now, seenTwice: set[way].isSeenTwice, &state)
        }
    }

    /// Claims the touch of this number for the caller. False if the entry is gone, or if this many touches or more were
    /// sent already: another caller has claimed this one.
    package func claimTouch(_ fingerprint: Fingerprint, number: UInt8, now: Instant) -> Bool {
        let (shard, index) = place(fingerprint)
        return shards[shard].state.withLock { _ in
            guard let (set, way, _) = live(fingerprint, shard, index, now), set[way].touches < number else {
                return false
            }
            set[way].touches = number
            return true
        }
    }

    /// Forgets everything that is known about a session.
    package func remove(_ fingerprint: Fingerprint) {
        let (shard, index) = place(fingerprint)
        shards[shard].state.withLock { state in
            guard let set = shards[shard].set(at: index), let way = set.way(of: fingerprint.low) else { return }
            clear(set, way, &state)
        }
    }

    /// How many unexpired bindings that the store had confirmed were evicted, or found no slot, since the start.
    package var losses: UInt64 { lostCount.load(ordering: .relaxed) }

    /// Slots in use, by kind. Takes each lock once, briefly.
    package func counts() -> Counts {
        var sum = Counts()
        for shard in 0..<shardCount {
            let occupied = shards[shard].state.withLock { $0.occupied }
            sum.confirmed += occupied.confirmed
            sum.standby += occupied.standby
            sum.dirty += occupied.dirty
            sum.guesses += occupied.guesses
        }
        return sum
    }

    /// The upper bits select the shard. The bits below select the set, scaled to a number of sets that need not be a
    /// power of two.
    @inline(__always)
    func place(_ fingerprint: Fingerprint) -> (shard: Int, set: Int) {
        let shard = Int(truncatingIfNeeded: fingerprint.high >> (64 - shardBits))
        let below = fingerprint.high << shardBits
        return (shard, Int(truncatingIfNeeded: below.multipliedFullWidth(by: UInt64(setsPerShard)).high))
    }

    @inline(__always)
    func live(
        _ fingerprint: Fingerprint, _ shard: Int, _ index: Int, _ now: Instant
    ) -> (set: CacheSet, way: Int, kind: Kind)? {
        guard let set = shards[shard].set(at: index), let way = set.way(of: fingerprint.low),
            let kind = set[way].kind, set[way].isLive(CacheTick(now))
        else { return nil }
        return (set, way, kind)
    }

    func keep(
        _ entry: Entry, _ fingerprint: Fingerprint, _ shard: Int, _ index: Int, _ now: Instant,
        _ state: inout CacheShard.State
    ) -> Bool {
        let set = shards[shard].usedSet(at: index)
        let tick = CacheTick(now)
        guard let way = set.way(of: fingerprint.low) else {
            return insert(entry, fingerprint, set, now, &state)
        }
        var entry = entry
        let slot = set[way]
        if slot.isLive(tick), let kind = slot.kind {
            let old = slot.entry(kind, now: now)
            guard Self.replaces(entry, old) else { return false }
            // Touches already sent still count if this result does not show their effect: it may be older than they
            // are.
            let isExtended = entry.expiresAt > old.expiresAt.advanced(byMilliseconds: 100)
            entry.touches = isExtended ? entry.touches : max(entry.touches, old.touches)
        }
        put(entry, fingerprint, set, way, now, seenTwice: slot.isLive(tick) && slot.isSeenTwice, &state)
        return true
    }

    /// Gives a session without an entry a slot. Returns false if every slot of its set is worth more, or if the entry
    /// has expired.
    func insert(
        _ entry: Entry, _ fingerprint: Fingerprint, _ set: CacheSet, _ now: Instant, _ state: inout CacheShard.State
    ) -> Bool {
        guard entry.expiresAt > now else { return false }
        let tick = CacheTick(now)
        let limit = CacheRank.limit(for: entry.kind, isStandby: entry.isStandby)
        guard let way = set.victim(limit: limit, now: tick, use: CacheTick.use(now)) else {
            if entry.kind == .confirmed { lostCount.add(1, ordering: .relaxed) }
            return false
        }
        if set[way].kind == .confirmed, set[way].isLive(tick) { lostCount.add(1, ordering: .relaxed) }
        put(entry, fingerprint, set, way, now, seenTwice: false, &state)
        return true
    }

    private static func replaces(_ new: Entry, _ old: Entry) -> Bool {
        if new.binding.epoch != old.binding.epoch { return new.binding.epoch > old.binding.epoch }
        if new.weight != old.weight { return new.weight > old.weight }
        if new.isSuspect != old.isSuspect { return old.isSuspect }
        return CacheTick(new.confirmedAt).distance(from: CacheTick(old.confirmedAt)) >= 0
    }

    func put(
        _ entry: Entry, _ fingerprint: Fingerprint, _ set: CacheSet, _ way: Int, _ now: Instant, seenTwice: Bool,
        _ state: inout CacheShard.State
    ) {
        let old = set[way]
        if let kind = old.kind { state.occupied.add(-1, to: kind, isStandby: old.isStandby) }
        state.occupied.add(1, to: entry.kind, isStandby: entry.isStandby)
        set.put(CacheSlot(entry, now: now, seenTwice: seenTwice), of: fingerprint, at: way)
    }

    private func clear(_ set: CacheSet, _ way: Int, _ state: inout CacheShard.State) {
        let old = set[way]
        if let kind = old.kind { state.occupied.add(-1, to: kind, isStandby: old.isStandby) }
        set.clear(way)
    }
}

/// How an entry weighs against the store.
extension BindingCache.Entry {
    /// At equal epochs, the entry with the higher weight wins.
    fileprivate var weight: Int {
        switch kind {
        case .guess: 1
        case .confirmed where isStandby: 2
        case .dirty: 3
        case .confirmed: 4
        }
    }

    /// Whether the entry may be used without querying the store, as long as the channel vouches for the time it was
    /// confirmed.
    package var maySuffice: Bool { kind == .confirmed && !binding.isTombstone && !isSuspect }

    /// Whether the entry conflicts with a record, and wins if its backend is usable: both are of epoch 1 and name
    /// different backends, and the writer of the record did not know of the entry. Either the store had confirmed the
    /// entry and lost it, or a backend had issued the key: a dirty entry of epoch 1 was learnt, because moves have
    /// higher epochs.
    package func conflicts(by record: Binding) -> Bool {
        record.epoch == 1 && !record.isTombstone && kind != .guess && binding.epoch == 1
            && binding.backend != record.backend
    }
}
