import Configuration

/// What is known of an Engine's containers. Listings, events and descriptions come in; which containers must be looked
/// at comes out. Pure: whatever the order in which they come, what is known ends as what is so.
///
/// A container drains from the moment it is sent a signal that tells it to end until that run of it is over: it has
/// ended, or it has been started since by the Engine's clock. So a repeated, late or lost event does no harm, and a
/// lost connection ends no draining.
struct DockerInventory: Sendable {
    typealias Time = ContinuousClock.Instant

    /// How containers are looked at.
    struct Pace: Sendable {
        /// Those that are looked at at once, the late ones apart.
        var inspections = 4
        /// With these.
        var inspectionsMax = 32
        /// One that takes longer is late: it holds up no other.
        var timeout = Duration.seconds(1)
        /// Before one that could not be looked at is tried again; doubled with each attempt.
        var retry = Duration.seconds(1)
        var retryLongest = Duration.seconds(60)
    }

    private struct Failure {
        var attempts = 0
        var isDueAt: Time
    }

    private(set) var containers: [String: DockerContainer] = [:]
    /// The time of the last event, by the Engine's clock; 0: none was heard.
    private(set) var lastEvent: Int64 = 0
    /// Whether all that was listed first has been looked at, late ones apart.
    private(set) var isComplete = false

    private let pace: Pace
    /// Those that exist, as far as is known, whether looked at or not.
    private var known: Set<String> = []
    private var pending: Set<String> = []
    /// Those that are being looked at, and since when.
    private var underWay: [String: Time] = [:]
    /// Those that could not be looked at.
    private var failures: [String: Failure] = [:]
    /// When they were last sent which signals.
    private var signals: [String: [DockerSignal: Int64]] = [:]
    /// As they were listed last.
    private var listings: [String: DockerListing] = [:]
    /// Those of the first listing of which nothing is known yet.
    private var awaited: Set<String> = []
    private var isListed = false
    /// Whether the Engine has described a container.
    private var hasDescribed = false

    init(pace: Pace = Pace()) {
        self.pace = pace
    }

    // MARK: What comes in

    /// - Parameter isNew: the connection is new, and anything may have changed; else only what looks different is
    ///   looked at.
    mutating func listed(_ listing: [DockerListing], isNew: Bool) {
        isListed = true
        let ids = Set(listing.map(\.id))
        if isNew {
            // Whoever looked at them has ended with the connection before.
            (underWay, failures) = ([:], [:])
            if !isComplete { awaited = ids }
        }
        for entry in listing where isNew || listings[entry.id] != entry { pending.insert(entry.id) }
        // Gone, or younger than the listing.
        pending.formUnion(known.subtracting(ids))
        known.formUnion(ids)
        listings = Dictionary(listing.map { ($0.id, $0) }) { $1 }
        update()
    }

    /// - Returns: whether more or less contribute now, or differently.
    mutating func heard(_ event: DockerEvent) -> Bool {
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

    /// - Parameter container: nil: it is no more.
    /// - Returns: whether more or less contribute now, or differently.
    mutating func inspected(_ id: String, _ container: DockerContainer?) -> Bool {
        hasDescribed = true
        underWay[id] = nil
        failures[id] = nil
        awaited.remove(id)
        defer { update() }
        guard let container else { return forget(id) }
        // Destroyed while it was looked at.
        guard known.contains(id), containers[id] != container else { return false }
        containers[id] = container
        signals[id] = signals[id]?.filter { $0.value >= container.started }
        return true
    }

    /// What was known of it stays until it can be looked at again.
    ///
    /// - Returns: whether it is the first time in a row.
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

    /// Time has passed.
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

    // MARK: What comes out

    /// One to be looked at now. It is expected to be reported. Of those that failed before, no two are tried at once.
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

    /// Whether nothing is to be looked at, or will soon have been.
    func isAtRest(at now: Time) -> Bool {
        pending.allSatisfy { underWay[$0] != nil } && underWay.keys.allSatisfy { isLate($0, at: now) }
    }

    /// Whether nothing is to be looked at, those apart that have failed so often.
    func isSettled(attempts: Int) -> Bool {
        pending.isEmpty && underWay.isEmpty && failures.values.allSatisfy { $0.attempts >= attempts }
    }

    /// Whether none of those that were listed first can be looked at: no containers would be taken for all.
    var isFailing: Bool { isListed && !isComplete && awaited.isEmpty && !hasDescribed && !failures.isEmpty }

    /// Those that could not be looked at.
    var failed: [String] { failures.keys.sorted() }

    func isDraining(_ container: DockerContainer) -> Bool {
        signals[container.id]?.contains { $0.key.ends(container) && $0.value >= container.started } ?? false
    }
}
