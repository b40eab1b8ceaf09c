import Synchronization

/// What is known of the health of a membership's backends, each in a ``BackendState``, which all event loops share. All
/// are up at first, none may be left, none is avoided.
///
/// *Down* is this replica's own judgement. *May leave* and *avoided* are the fleet's, where replicas share a store; a
/// replica without a fleet judges alone.
package final class HealthTable: Sendable {
    private let alone: Atomic<Bool>
    /// In the order of the membership. None in a table of services.
    package let backends: [BackendState]
    /// Of a table of services: these. Then there are no backends.
    private let services: [Member]

    /// A service as a member of another.
    private struct Member: Sendable {
        let health: HealthTable
        /// Of each of its backends, or of the services in it, whether it may be given new sessions.
        let takesNewSessions: [Bool]

        var hasOneForNewSessions: Bool {
            takesNewSessions.indices.contains { takesNewSessions[$0] && health.isUp($0) && !health.isAvoided($0) }
        }
    }

    /// - Parameter judgesAlone: whether a backend that is down may be left without anybody else having been heard.
    package init(count: Int, judgesAlone: Bool = true) {
        alone = Atomic(judgesAlone)
        backends = (0..<count).map { _ in BackendState() }
        services = []
    }

    /// The table of a service whose members are services: each is as its own backends are, at any moment. Up while one
    /// of them is; it may be left when there are some and all of them may; avoided when all that are up are, or take no
    /// new sessions. What is marked in it has no effect.
    package init(of services: [(health: HealthTable, membership: Membership)]) {
        alone = Atomic(true)
        backends = []
        self.services = services.map { health, membership in
            Member(
                health: health,
                takesNewSessions: (0..<membership.count).map { membership.takesNewSessions($0) })
        }
    }

    /// The table of a changed membership. What is found out of a backend that stays is found out in both tables, so
    /// nothing is lost while some event loops use one and some the other.
    ///
    /// - Parameter kept: for each backend of the new membership its place in `old`, where it is the same server; nil
    ///   for one that begins as up. A place that is none counts as nil.
    package init(succeeding old: HealthTable, kept: [Int?]) {
        alone = Atomic(old.judgesAlone)
        backends = kept.map { place in
            place.flatMap { old.backends.indices.contains($0) ? old.backends[$0] : nil } ?? BackendState()
        }
        services = []
    }

    package var count: Int { services.isEmpty ? backends.count : services.count }

    /// Whether what is down here may be left without the fleet having agreed.
    package var judgesAlone: Bool { alone.load(ordering: .relaxed) }

    /// Whether there is nobody to agree with: no fleet, or a fleet of one.
    package func setJudgesAlone(_ value: Bool) { alone.store(value, ordering: .relaxed) }

    /// Whether no cause of down stands against the backend. False for an index that is not in the table.
    package func isUp(_ index: Int) -> Bool {
        guard contains(index) else { return member(index)?.health.hasOneUp ?? false }
        return backends[index].isUp
    }

    /// What is found out against the backend; against a service none while one of its backends is up, else all that
    /// stands against any of them. An index that is not in the table is absent.
    package func causes(against index: Int) -> HealthCauses {
        guard contains(index) else { return member(index)?.health.causesAgainstAll ?? .absent }
        return backends[index].causes
    }

    /// Whether this replica may move sessions off the backend: it is down here, and the fleet agrees or this replica
    /// judges alone. False for an index that is not in the table.
    package func mayReassign(_ index: Int) -> Bool {
        guard contains(index) else { return member(index)?.health.mayAllBeLeft ?? false }
        return !backends[index].isUp && (judgesAlone || backends[index].isLeavable)
    }

    /// Whether most of the fleet says that the backend is down, though it is not down here: no target of moves and
    /// detours while there is another.
    package func isAvoided(_ index: Int) -> Bool {
        guard contains(index) else { return member(index).map { !$0.hasOneForNewSessions } ?? false }
        return backends[index].isAvoided
    }

    /// See ``BackendState/begin(_:)``.
    @discardableResult
    package func markDown(_ index: Int, _ cause: BackendState.DownCause = .unreachable) -> Bool {
        contains(index) && backends[index].begin(cause)
    }

    /// See ``BackendState/end(_:)``.
    @discardableResult
    package func markUp(_ index: Int, _ cause: BackendState.DownCause = .unreachable) -> Bool {
        contains(index) && backends[index].end(cause)
    }

    package func setMayReassign(_ index: Int, _ value: Bool) {
        if contains(index) { backends[index].setLeavable(value) }
    }

    package func setAvoided(_ index: Int, _ value: Bool) {
        if contains(index) { backends[index].setAvoided(value) }
    }

    private func member(_ index: Int) -> Member? { services.indices.contains(index) ? services[index] : nil }

    private var hasOneUp: Bool { (0..<count).contains { isUp($0) } }

    private var causesAgainstAll: HealthCauses {
        if count == 0 { return .absent }
        return hasOneUp ? [] : (0..<count).reduce(into: []) { $0.formUnion(causes(against: $1)) }
    }

    /// Not where there is none: other replicas may have some, and what is away for a moment comes back.
    private var mayAllBeLeft: Bool { count > 0 && (0..<count).allSatisfy { mayReassign($0) } }

    private func contains(_ index: Int) -> Bool { index >= 0 && index < backends.count }
}
