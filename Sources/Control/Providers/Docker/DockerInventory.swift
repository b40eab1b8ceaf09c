import Configuration

/// What is known about an Engine's containers. Input: listings, events and descriptions. Output: which containers to
/// inspect. Pure: in whatever order the input arrives, the result converges to the actual state.
///
/// A container drains from the moment it is sent a signal to stop until that run of it is over: it has ended, or by the
/// Engine's clock it has been started since. So a repeated, late or lost event does no harm, and a lost connection does
/// not end a draining.
struct DockerInventory: Sendable {
    typealias Time = ContinuousClock.Instant

    /// How containers are inspected.
    struct Pace: Sendable {
        /// The number of concurrent inspections, not counting late ones.
        var inspections = 4
        /// The number including late ones.
        var inspectionsMax = 32
        /// An inspection that takes longer is late: it no longer delays others.
        var timeout = Duration.seconds(1)
        /// The wait before a failed inspection is tried again; doubled with each attempt.
        var retry = Duration.seconds(1)
        var retryLongest = Duration.seconds(60)
    }

    private struct Failure {
        var attempts = 0
        var isDueAt: Time
    }

    private(set) var containers: [String: DockerContainer] = [:]
    /// The time of the last event, by the Engine's clock; 0: none was received.
    private(set) var lastEvent: Int64 = 0
    /// Whether all containers of the first listing have been inspected, apart from late ones.
    private(set) var isComplete = false

    private let pace: Pace
    /// The containers known to exist, whether inspected or not.
    private var known: Set<String> = []
    private var pending: Set<String> = []
    /// Inspections under way, and when they began.
    private var underWay: [String: Time] = [:]
    /// Containers whose inspection failed.
    private var failures: [String: Failure] = [:]
    /// For each container, when it was last sent each signal.
    private var signals: [String: [DockerSignal: Int64]] = [:]
    /// The last listing.
    private var listings: [String: DockerListing] = [:]
    /// Containers of the first listing of which nothing is known yet.
    private var awaited: Set<String> = []
    private var isListed = false
    /// Whether the Engine has described any container.
    private var hasDescribed = false

    init(pace: Pace = Pace()) {
        self.pace = pace
    }

    // MARK: Input

    /// - Parameter isNew: the connection is new, so anything may have changed. Otherwise only entries that differ are
    ///   inspected.
    mutating func listed(_ listing: [DockerListing], isNew: Bool) {
        isListed = true
        let ids = Set(listing.map(\.id))
        if isNew {
            // The earlier inspections ended with the previous connection.
            (underWay, failures) = ([:], [:])
            if !isComplete { awaited = ids }
        }
        for entry in listing where isNew || listings[entry.id] != entry { pending.insert(entry.id) }
        // Gone, or created after the listing.
        pending.formUnion(known.subtracting(ids))
        known.formUnion(ids)
        listings = Dictionary(listing.map { ($0.id, $0) }) { $1 }
        update()
    }

    /// - Returns: whether the contributions have changed.
    mutating func received(_ event: DockerEvent) -> Bool {
        lastEvent = max(lastEvent, event.time)
        switch event.change {
        case .destroyed:
            return forget(event.id)
        case .signal(let signal):
            guard known.contains(event.id) else { return false }
            signals[event.id, default: [:]][signal] = max(signals[event.id]?[signal] ?? 0, event.time)
            return containers[event.id].map { signal.ends($0) && event.time >= $0.started } ?? false
        case .other:
            known.insert(event.id)
            pending.insert(event.id)
            return false
        }
    }

    /// - Parameter container: nil: it no longer exists.
    /// - Returns: whether the contributions have changed.
    mutating func inspected(_ id: String, _ container: DockerContainer?) -> Bool {
        hasDescribed = true
        underWay[id] = nil
        failures[id] = nil
        awaited.remove(id)
        defer { update() }
        guard let container else { return forget(id) }
        // Destroyed during the inspection.
        guard known.contains(id), containers[id] != container else { return false }
        containers[id] = container
        signals[id] = signals[id]?.filter { $0.value >= container.started }
        return true
    }

    /// The last known state stays until the container can be inspected again.
    ///
    /// - Returns: whether this is the first failure in a row.
    mutating func couldNotInspect(_ id: String, at now: Time) -> Bool {
        underWay[id] = nil
        awaited.remove(id)
        defer { update() }
        guard known.contains(id) else { return false }
        let attempts = (failures[id]?.attempts ?? 0) + 1
        let wait = min(pace.retry * (1 << min(attempts - 1, 16)), pace.retryLongest)
        failures[id] = Failure(attempts: attempts, isDueAt: now + wait)
        return attempts == 1
    }

    /// Advances the time.
    mutating func passed(to now: Time) {
        guard isListed, !isComplete, hasDescribed else { return }
        isComplete = awaited.allSatisfy { isLate($0, at: now) }
    }

    private mutating func forget(_ id: String) -> Bool {
        known.remove(id)
        pending.remove(id)
        awaited.remove(id)
        failures[id] = nil
        signals[id] = nil
        listings[id] = nil
        update()
        return containers.removeValue(forKey: id) != nil
    }

    private mutating func update() {
        if isListed, awaited.isEmpty, !isFailing { isComplete = true }
    }

    // MARK: Output

    /// The next container to inspect. The caller must report the result. Containers that failed before are tried one at
    /// a time.
    mutating func take(at now: Time) -> String? {
        let punctual = underWay.count { now - $0.value < pace.timeout }
        guard punctual < pace.inspections, underWay.count < pace.inspectionsMax else { return nil }
        let id = pending.first { underWay[$0] == nil } ?? due(at: now)
        guard let id else { return nil }
        pending.remove(id)
        underWay[id] = now
        return id
    }

    private func due(at now: Time) -> String? {
        guard !underWay.keys.contains(where: { failures[$0] != nil }) else { return nil }
        return failures.filter { $0.value.isDueAt <= now }.min { $0.value.isDueAt < $1.value.isDueAt }?.key
    }

    private func isLate(_ id: String, at now: Time) -> Bool {
        underWay[id].map { now - $0 >= pace.timeout } ?? false
    }

    /// Whether all inspections are done, apart from late and failed ones.
    func isAtRest(at now: Time) -> Bool {
        pending.allSatisfy { underWay[$0] != nil } && underWay.keys.allSatisfy { isLate($0, at: now) }
    }

    /// Whether all inspections are done, apart from containers that have failed at least this often.
    func isSettled(attempts: Int) -> Bool {
        pending.isEmpty && underWay.isEmpty && failures.values.allSatisfy { $0.attempts >= attempts }
    }

    /// Whether none of the first listed containers could be inspected. Without this check, that would look like an
    /// Engine without containers.
    var isFailing: Bool { isListed && !isComplete && awaited.isEmpty && !hasDescribed && !failures.isEmpty }

    /// Containers whose inspection failed.
    var failed: [String] { failures.keys.sorted() }

    func isDraining(_ container: DockerContainer) -> Bool {
        signals[container.id]?.contains { $0.key.ends(container) && $0.value >= container.started } ?? false
    }
}
