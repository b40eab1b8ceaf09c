/// What is known of an Engine's containers. Listings, events and descriptions come in; which containers must be looked
/// at comes out. Pure: whatever the order in which they come, what is known ends as what is so.
///
/// A container drains from the moment it is sent a signal that tells it to end until that run of it is over: it has
/// ended, or it has been started since by the Engine's clock. So a repeated, late or lost event does no harm, and a
/// lost connection ends no draining.
struct DockerInventory: Sendable {
    private(set) var containers: [String: DockerContainer] = [:]
    /// The time of the last event, by the Engine's clock; 0: none was heard.
    private(set) var lastEvent: Int64 = 0
    /// Whether all that was listed first has been looked at.
    private(set) var isComplete = false

    /// Those that exist, as far as is known, whether looked at or not.
    private var known: Set<String> = []
    private var pending: Set<String> = []
    /// Those that could not be looked at.
    private var failed: Set<String> = []
    /// When they were last sent which signals.
    private var signals: [String: [DockerSignal: Int64]] = [:]
    private var isListed = false

    /// - Parameter isNew: the connection is new, and anything may have changed; else only what looks different is
    ///   looked at.
    mutating func listed(_ listing: [DockerListing], isNew: Bool) {
        isListed = true
        for entry in listing where isNew || containers[entry.id]?.state != entry.state { pending.insert(entry.id) }
        // Gone, or younger than the listing.
        pending.formUnion(known.subtracting(listing.map(\.id)))
        known.formUnion(listing.map(\.id))
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

    var hasPending: Bool { !pending.isEmpty }

    /// Those to be looked at now. They are expected to be reported.
    mutating func takePending() -> [String] {
        defer { pending = [] }
        return pending.sorted()
    }

    mutating func inspected(_ container: DockerContainer) {
        // Destroyed while it was looked at.
        guard known.contains(container.id) else { return }
        failed.remove(container.id)
        containers[container.id] = container
        signals[container.id] = signals[container.id]?.filter { $0.value >= container.started }
    }

    /// - Returns: whether it was known before.
    @discardableResult
    mutating func forget(_ id: String) -> Bool {
        known.remove(id)
        pending.remove(id)
        failed.remove(id)
        signals[id] = nil
        return containers.removeValue(forKey: id) != nil
    }

    /// What was known of it stays until it can be looked at again.
    mutating func couldNotInspect(_ id: String) {
        if known.contains(id) { failed.insert(id) }
    }

    /// All that was taken has been reported.
    mutating func settled() {
        isComplete = isListed
    }

    /// Those that could not be looked at are pending again.
    mutating func retryFailed() {
        pending.formUnion(failed)
        failed = []
    }

    func isDraining(_ container: DockerContainer) -> Bool {
        signals[container.id]?.contains { $0.key.ends(container) && $0.value >= container.started } ?? false
    }
}
