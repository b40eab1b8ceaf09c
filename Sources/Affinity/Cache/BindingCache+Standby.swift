import Synchronization

/// What this replica learns of sessions that others serve.
extension BindingCache {
    /// A position between two sets, for a pass over the whole cache.
    package struct Position: Hashable, Sendable {
        fileprivate var shard = 0
        fileprivate var set = 0

        package init() {}
    }

    /// Keeps an announced record as standby. Of one lineage of the store the last that is heard counts, whatever its
    /// epoch: a key may begin anew. It replaces nothing that this replica knows from its own results or decisions, and
    /// of what stems from an earlier lineage only the same binding or a lower epoch. What has less than 3/4 of the life
    /// that is known here changes nothing.
    ///
    /// - Parameters:
    ///   - livesFrom: the earliest time at which the record can have been read.
    ///   - lineageBegan: when the present lineage began.
    package func applyAnnounced(
        _ record: StoredRecord, of fingerprint: Fingerprint, livesFrom: Instant, lineageBegan: Instant, now: Instant
    ) {
        let entry = Self.standby(record, confirmedAt: now, livesFrom: livesFrom)
        let (shard, index) = place(fingerprint)
        shards[shard].state.withLock { state in
            guard let (set, way, kind) = live(fingerprint, shard, index, now) else {
                return add(entry, fingerprint, shards[shard].usedSet(at: index), now, &state)
            }
            let old = set[way].entry(kind, now: now)
            guard old.kind == .guess || old.isStandby && old.yields(to: entry, lineageBegan: lineageBegan, now: now)
            else { return }
            put(entry, fingerprint, set, way, now, seenTwice: set[way].isSeenTwice, &state)
        }
    }

    /// Applies a record that was read from the store, but for no request. It confirms what the store has confirmed to
    /// this replica before, and is standby otherwise. It changes nothing if something newer is known, or if the store
    /// has lost data and holds less than what is known here: a lower epoch, or the same binding with less than 3/4 of
    /// its life. Such an entry keeps its time of confirmation, so it can be offered to the store.
    ///
    /// - Parameters:
    ///   - sentAt: when the record was requested. Its lifetime counts from here.
    ///   - lineageBegan: when the present lineage of the store began.
    package func applyRead(
        _ record: StoredRecord, of fingerprint: Fingerprint, sentAt: Instant, lineageBegan: Instant, now: Instant
    ) {
        var entry = Self.standby(record, confirmedAt: sentAt, livesFrom: sentAt)
        let (shard, index) = place(fingerprint)
        shards[shard].state.withLock { state in
            let verdict = state.floors.judge(fingerprint, epoch: record.binding.epoch, sentAt: sentAt)
            if case .superseded = verdict { return }
            guard let (set, way, kind) = live(fingerprint, shard, index, now) else {
                if entry.expiresAt > now { add(entry, fingerprint, shards[shard].usedSet(at: index), now, &state) }
                return
            }
            let old = set[way].entry(kind, now: now)
            guard old.mayLearn(from: entry, lineageBegan: lineageBegan, now: now) else { return }
            if old.kind == .confirmed, !old.isStandby {
                entry.isStandby = false
                if case .admitted = verdict { entry.isSuspect = false }
                _ = keep(entry, fingerprint, shard, index, now, &state)
            } else {
                put(entry, fingerprint, set, way, now, seenTwice: set[way].isSeenTwice, &state)
            }
        }
    }

    /// Keeps an entry of a session that has no live one: in the place of its expired one, else where the set has room.
    private func add(
        _ entry: Entry, _ fingerprint: Fingerprint, _ set: CacheSet, _ now: Instant, _ state: inout CacheShard.State
    ) {
        if let way = set.way(of: fingerprint.low) {
            put(entry, fingerprint, set, way, now, seenTwice: false, &state)
        } else {
            _ = insert(entry, fingerprint, set, now, &state)
        }
    }

    /// What is remembered of a session whose lifetime here is over. Others may have kept it alive since, so its backend
    /// is a better guess than any other. Never a tombstone.
    package func expired(_ fingerprint: Fingerprint, now: Instant) -> Entry? {
        let (shard, index) = place(fingerprint)
        return shards[shard].state.withLock { _ in
            guard let set = shards[shard].set(at: index), let way = set.way(of: fingerprint.low),
                let kind = set[way].kind, !set[way].isLive(CacheTick(now)), !set[way].binding.isTombstone
            else { return nil }
            return set[way].entry(kind, now: now)
        }
    }

    /// The sessions in the next sets whose unexpired binding the store has confirmed to some replica, but not since a
    /// time. Tombstones are among them.
    ///
    /// - Parameters:
    ///   - position: moves on; nil at the end of the cache.
    ///   - sets: the number of sets to visit, 16 slots each.
    ///   - before: the time.
    package func unconfirmed(
        from position: inout Position?, sets: Int, before: Instant, now: Instant
    ) -> [Fingerprint] {
        var found: [Fingerprint] = []
        let tick = CacheTick(now)
        for _ in 0..<sets {
            guard let here = position else { break }
            shards[here.shard].state.withLock { _ in
                guard let set = shards[here.shard].set(at: here.set) else { return }
                for way in 0..<CacheSet.ways {
                    let slot = set[way]
                    guard slot.kind == .confirmed, slot.isLive(tick), slot.confirmed.instant(near: now) < before
                    else { continue }
                    found.append(set.fingerprint(at: way))
                }
            }
            position = after(here)
        }
        return found
    }

    private func after(_ position: Position) -> Position? {
        var next = position
        next.set += 1
        if next.set == setsPerShard { (next.shard, next.set) = (next.shard + 1, 0) }
        return next.shard < shardCount ? next : nil
    }

    private static func standby(_ record: StoredRecord, confirmedAt: Instant, livesFrom: Instant) -> Entry {
        Entry(
            binding: record.binding, kind: .confirmed, confirmedAt: confirmedAt,
            expiresAt: livesFrom.advanced(
                byMilliseconds: min(record.remainingMilliseconds, Announcement.lifetimeMaxMilliseconds)),
            isSuspect: true, isStandby: true, createdAtSeconds: record.createdAtSeconds)
    }
}

extension BindingCache.Entry {
    /// Whether this standby entry gives way to what the store holds now.
    fileprivate func yields(to new: BindingCache.Entry, lineageBegan: Instant, now: Instant) -> Bool {
        if new.binding == binding { return new.holdsEnough(of: self, now: now) }
        return confirmedAt >= lineageBegan || new.binding.epoch > binding.epoch
    }

    /// Whether an entry takes what was read from the store, but for no request.
    fileprivate func mayLearn(from new: BindingCache.Entry, lineageBegan: Instant, now: Instant) -> Bool {
        if kind == .guess { return true }
        // Below the resolution of ticks: what was heard since the request is kept.
        guard kind == .confirmed, CacheTick(confirmedAt).distance(from: CacheTick(new.confirmedAt)) < 0 else {
            return false
        }
        // While a lineage lasts, no record loses life. If one has, the store has lost data, and that is not known yet.
        if new.binding == binding { return new.holdsEnough(of: self, now: now) }
        if confirmedAt < lineageBegan { return new.binding.epoch > binding.epoch }
        return isStandby || new.binding.epoch >= binding.epoch && !conflicts(by: new.binding)
    }

    /// Whether its remaining life is at least 3/4 of the other's.
    fileprivate func holdsEnough(of other: BindingCache.Entry, now: Instant) -> Bool {
        let (mine, others) = (expiresAt.milliseconds(since: now), other.expiresAt.milliseconds(since: now))
        return mine >= others / 4 * 3
    }
}
