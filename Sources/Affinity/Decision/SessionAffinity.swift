/// Decides where the requests of one service go, on one event loop: the affinity protocol for one request.
///
/// Pure: it is given the time and what others reported, and returns what to do next. The cache, the coherence of what
/// it holds and the health of backends are shared with the replica's other loops; everything else belongs to this loop.
/// As long as a backend may take a request, the request is routed after a bounded number of operations, whatever the
/// store does, unless `onUnavailable` rejects it.
package struct SessionAffinity {
    /// A proposal and three moves.
    static let operationsMax = 4

    package private(set) var membership: Membership
    package let cache: BindingCache
    package let coherence: Coherence
    package private(set) var health: HealthTable
    package private(set) var settings: AffinitySettings
    /// The wall clock at the origin of instants, in nanoseconds since 1970. With whole seconds, two replicas on one
    /// machine could disagree by a second. Matters only if sessions end by age.
    package var wallOrigin: Int64
    /// This loop's requests in flight to the backends. The sender of the requests counts them.
    package var inFlight: InFlight
    var load: PlacementLoad
    var turn: SmoothWeightedRoundRobin
    var random: SplitMix
    var offers: Offers

    /// - Parameters:
    ///   - health: has an entry for each backend of the membership; a backend beyond its end counts as down.
    ///   - seed: makes the placements of this loop differ from those of others; nil: all loops start alike.
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

    /// Continues with other backends or settings. Decisions in progress continue: they name backends by their hashes.
    /// Pending offers are kept.
    /// - Parameter health: has an entry for each backend of the membership.
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

    /// The first step of a request: D1 to D10. These numbers are the rows of the decision tables in
    /// `docs/architecture.md`.
    /// - Parameters:
    ///   - storeIsAvailable: evaluated only where it matters, so not for most requests of a known session.
    ///   - otherKeys: further keys of the same source in the request, evaluated only if this replica does not know the
    ///     session. The first that it knows becomes the decision's.
    ///   - proposal: the decision's proposal, evaluated only if this replica knows none of the keys.
    package mutating func begin(
        _ decision: inout Decision, storeIsAvailable: @autoclosure () -> Bool,
        otherKeys: @autoclosure () -> [Fingerprint] = [], proposal: @autoclosure () -> BackendHash? = nil, now: Instant
    ) -> Step {
        let entry = cache.lookup(decision.fingerprint, now: now)
        if let entry, isCurrent(entry, of: decision.fingerprint, decision.hint, now) {
            if let index = usable(entry.binding.backend) {
                // D1
                let isVouchedFor = decision.hintVouches && decision.hint?.binding == entry.binding
                let touch =
                    isVouchedFor ? nil : dueTouch(decision.fingerprint, entry, now, if: storeIsAvailable())
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
        return writeKnown(&decision, KnownBinding(entry: entry, hint: decision.hint), now)
    }

    /// The next step after the store's result of an operation for this decision, or for another decision on the same
    /// session: D11 to D16.
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
                decision, now, read: KnownBinding(read: record.binding, createdAtSeconds: record.createdAtSeconds))
        case .absent:  // D16
            return decideWithoutStore(decision, now)
        case .unavailable(let failure):  // D16
            noteUnanswered(operation, failure, now)
            return decideWithoutStore(decision, now)
        }
    }

    /// The next step after the backend of the last route could not be reached. The caller has marked it down.
    package mutating func backendFailed(
        _ decision: inout Decision, storeIsAvailable: @autoclosure () -> Bool, now: Instant
    ) -> Step {
        decision.failures += 1
        decision.firstSentAt = nil
        // D33, else D32
        guard decision.failures <= membership.count else { return .refuse(.noBackend) }
        return begin(&decision, storeIsAvailable: storeIsAvailable(), now: now)
    }

    /// A backend's index, if sessions that are bound to it may go there.
    func usable(_ backend: BackendHash) -> Int? {
        guard let index = membership.index(of: backend), health.isUp(index) else { return nil }
        return index
    }

    /// Whether this replica remembers where the session belongs, even if only by a guess whose backend is usable.
    private func isPlaced(_ entry: BindingCache.Entry?) -> Bool {
        guard let entry, !entry.binding.isTombstone else { return false }
        return entry.kind != .guess || usable(entry.binding.backend) != nil
    }

    /// Whether this replica knows the session by more than a guess.
    private func isKnown(_ fingerprint: Fingerprint, _ now: Instant) -> Bool {
        guard let entry = cache.peek(fingerprint, now: now) else { return false }
        return entry.kind != .guess && !entry.binding.isTombstone
    }

    /// Whether an entry may be used without querying the store: the channel vouches for it, and no hint has a higher
    /// epoch.
    func isCurrent(_ entry: BindingCache.Entry, of fingerprint: Fingerprint, _ hint: Hint?, _ now: Instant) -> Bool {
        guard entry.maySuffice else { return false }
        if let hint, hint.binding.epoch > entry.binding.epoch { return false }
        return coherence.covers(entry.confirmedAt, of: fingerprint, now: now)
    }

    /// What to write a record with now: its lifetime in milliseconds, and when its session began if sessions end by
    /// age. A session whose beginning is unknown begins now, at the start of this second: so it ends together with its
    /// hint, which counts in seconds, and never later than its age permits.
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
