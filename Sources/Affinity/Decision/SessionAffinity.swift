/// Decides where the requests of one service go, on one event loop: the affinity protocol for one request.
///
/// Pure: told the time and what others said, it says what to do next. The cache, the coherence of what it holds and the
/// health of backends are shared with the replica's other loops; all else is this loop's own. As long as a backend may
/// take a request, the request is routed, whatever the store does, after a bounded number of questions.
package struct SessionAffinity {
    /// A proposal and three moves.
    static let operationsMax = 4

    package private(set) var membership: Membership
    package let cache: BindingCache
    package let coherence: Coherence
    package private(set) var health: HealthTable
    package private(set) var settings: AffinitySettings
    /// The wall clock at the origin of instants, in nanoseconds since 1970: whole seconds would let replicas of one
    /// machine disagree by one of them. Matters only where sessions end by age.
    package var wallOrigin: Int64
    /// Requests of this loop that are at the backends; whoever sends them counts them.
    package var inFlight: InFlight
    var load: PlacementLoad
    var turn: SmoothWeightedRoundRobin
    var random: SplitMix
    var offers: Offers

    /// - Parameters:
    ///   - health: as long as the membership; a backend beyond its end counts as down.
    ///   - seed: what tells the placements of this loop from those of others; nil: all begin alike.
    package init(
        membership: Membership, cache: BindingCache, coherence: Coherence, health: HealthTable,
        settings: AffinitySettings, wallOrigin: Int64 = 0, seed: UInt64? = nil
    ) {
        self.membership = membership
        self.cache = cache
        self.coherence = coherence
        self.health = health
        self.settings = settings
        self.wallOrigin = wallOrigin
        load = PlacementLoad(backends: membership.count, halfLifeMilliseconds: settings.idleTimeoutMilliseconds)
        turn = SmoothWeightedRoundRobin(membership.weights, seed: seed)
        inFlight = InFlight(Array(repeating: 0, count: membership.count))
        random = SplitMix(seed: seed ?? 0)
        offers = Offers(lineages: (0..<coherence.primaries.count).map { coherence.lineage(of: $0) })
    }

    /// Goes on with other backends or settings. Decisions under way go on too: they know backends by their hashes. What
    /// is still to be told to the store will be told.
    /// - Parameter health: as long as the membership.
    package mutating func reconfigure(membership: Membership, health: HealthTable, settings: AffinitySettings) {
        if settings.idleTimeoutMilliseconds != self.settings.idleTimeoutMilliseconds {
            load.reconfigure(halfLifeMilliseconds: settings.idleTimeoutMilliseconds)
        }
        if membership !== self.membership {
            let kept = membership.backends.map { self.membership.index(of: $0.hash) }
            load.reconfigure(kept: kept)
            turn.reconfigure(membership.weights, kept: kept)
            inFlight.reconfigure(kept: kept)
        }
        self.membership = membership
        self.health = health
        self.settings = settings
    }

    /// The first step of a request: D1 to D10. These numbers are the rows of the table of decisions in
    /// `docs/architecture.md`.
    /// - Parameters:
    ///   - storeIsAvailable: looked at only where it matters, so not for most requests of a known session.
    ///   - otherKeys: further keys of the same source in the request, looked for only where this replica does not know
    ///     the session. The first that it knows becomes the decision's.
    ///   - proposal: the decision's, looked for only where it knows none of them.
    package mutating func begin(
        _ decision: inout Decision, storeIsAvailable: @autoclosure () -> Bool,
        otherKeys: @autoclosure () -> [Fingerprint] = [], proposal: @autoclosure () -> BackendHash? = nil, now: Instant
    ) -> Step {
        let entry = cache.lookup(decision.fingerprint, now: now)
        if let entry, isCurrent(entry, of: decision.fingerprint, decision.hint, now) {
            if let index = usable(entry.binding.backend) {
                // D1
                let touch = dueTouch(decision.fingerprint, entry, now, if: storeIsAvailable())
                return .forward(
                    Route(
                        backend: index, binding: entry.binding, provenance: .cached, touch: touch,
                        createdAtSeconds: entry.createdAtSeconds))
            }
            // D3, else D2
            guard storeIsAvailable() else { return decideWithoutStore(decision, entry, now) }
            return reassign(&decision, entry.binding, createdAtSeconds: entry.createdAtSeconds, now)
        }
        if !isPlaced(entry) {
            // D4, else D5
            if let other = otherKeys().first(where: { isKnown($0, now) }) {
                decision.fingerprint = other
                return begin(&decision, storeIsAvailable: storeIsAvailable(), now: now)
            }
            if decision.proposal == nil { decision.proposal = proposal() }
        }
        // D6
        guard storeIsAvailable() else { return decideWithoutStore(decision, entry, now) }
        // D7, else D8 to D10
        if decision.isNew, entry == nil { return placeUnrecorded(decision, now) }
        return propose(&decision, Knowledge(entry: entry, hint: decision.hint), now)
    }

    /// The next step after the store's result of an operation for this decision, or of another for the same session:
    /// D11 to D16.
    package mutating func storeAnswered(
        _ decision: inout Decision, _ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp,
        now: Instant
    ) -> Step {
        let fingerprint = decision.fingerprint
        switch result {
        case .written:  // D11
            guard let record = operation.written else { return decideWithoutStore(decision, now) }
            noteWritten(operation, record.binding, now)
            let provenance = provenance(of: operation, &decision, now)
            return fill(&decision, record, stamp: stamp, provenance: provenance, now)
        case .record(let record):
            // D12, else D13
            if let mine = conflictingBackend(by: record.binding, fingerprint, now) {
                return send(
                    &decision,
                    rebind(decision, from: record.binding, to: mine, createdAtSeconds: record.createdAtSeconds, now),
                    now)
            }
            return fill(&decision, record, stamp: stamp, provenance: .stored, now)
        case .foreign:  // D14
            guard let next = operation.overForeign else { return decideWithoutStore(decision, now) }
            return send(&decision, next, now)
        case .readOnly(let record):  // D15
            return decideWithoutStore(
                decision, now, read: Knowledge(read: record.binding, createdAtSeconds: record.createdAtSeconds))
        case .absent, .unavailable:  // D16
            return decideWithoutStore(decision, now)
        }
    }

    /// The next step, the backend of the last route being out of reach. The caller has marked it down.
    package mutating func backendFailed(
        _ decision: inout Decision, storeIsAvailable: @autoclosure () -> Bool, now: Instant
    ) -> Step {
        decision.failures += 1
        decision.firstSentAt = nil
        // D33, else D32
        guard decision.failures <= membership.count else { return .refuse(.noBackend) }
        return begin(&decision, storeIsAvailable: storeIsAvailable(), now: now)
    }

    /// A backend's place, if sessions that are bound to it may go there.
    func usable(_ backend: BackendHash) -> Int? {
        guard let index = membership.index(of: backend), health.isUp(index) else { return nil }
        return index
    }

    /// Whether this replica remembers where the session belongs, be it by a guess that can still be followed.
    private func isPlaced(_ entry: BindingCache.Entry?) -> Bool {
        guard let entry, !entry.binding.isTombstone else { return false }
        return entry.kind != .guess || usable(entry.binding.backend) != nil
    }

    /// Whether this replica knows the session by more than a guess.
    private func isKnown(_ fingerprint: Fingerprint, _ now: Instant) -> Bool {
        guard let entry = cache.peek(fingerprint, now: now) else { return false }
        return entry.kind != .guess && !entry.binding.isTombstone
    }

    /// Whether an entry serves without the store being asked: the channel vouches for it, and no hint knows more.
    func isCurrent(_ entry: BindingCache.Entry, of fingerprint: Fingerprint, _ hint: Hint?, _ now: Instant) -> Bool {
        guard entry.maySuffice else { return false }
        if let hint, hint.binding.epoch > entry.binding.epoch { return false }
        return coherence.covers(entry.confirmedAt, of: fingerprint, now: now)
    }

    /// What a record is to be written with now: how long it lives, in milliseconds, and when its session began, where
    /// sessions end by age. A session whose beginning is not known begins now, in this second: it ends with its hint,
    /// which counts by seconds, and never later than its age says.
    func expiry(createdAtSeconds: UInt32?, _ now: Instant) -> (lifetimeMilliseconds: Int64, createdAtSeconds: UInt32?) {
        guard let absoluteTimeoutMilliseconds = settings.absoluteTimeoutMilliseconds else {
            return (settings.recordLifetimeMilliseconds, nil)
        }
        let wall = UInt32(clamping: wallClock(now) / 1000)
        // A clock that runs ahead must not prolong the session.
        let createdAtSeconds = min(createdAtSeconds ?? wall, wall)
        let left = absoluteTimeoutMilliseconds - age(createdAtSeconds, now)
        return (max(1, min(settings.recordLifetimeMilliseconds, left)), createdAtSeconds)
    }

    /// Whether sessions end by age, and this one has.
    func isExpired(createdAtSeconds: UInt32?, _ now: Instant) -> Bool {
        guard let absoluteTimeoutMilliseconds = settings.absoluteTimeoutMilliseconds, let createdAtSeconds else {
            return false
        }
        return age(createdAtSeconds, now) >= absoluteTimeoutMilliseconds
    }

    private func age(_ createdAtSeconds: UInt32, _ now: Instant) -> Int64 {
        wallClock(now) - Int64(createdAtSeconds) * 1000
    }

    /// In milliseconds since 1970.
    private func wallClock(_ now: Instant) -> Int64 { (wallOrigin &+ now.nanoseconds) / 1_000_000 }
}
