import Synchronization

/// The health of a membership's backends, each in a ``BackendState`` that all event loops share. At first every backend
/// is up, and none is leavable or avoided.
///
/// *Down* is this replica's own judgement. *Leavable* and *avoided* are the fleet's, where replicas share a store; a
/// replica without a fleet judges alone.
package final class HealthTable: Sendable {
    private let alone: Atomic<Bool>
    /// In the order of the membership. Empty in a table of services.
    package let backends: [BackendState]
    /// The member services, in a table of services. `backends` is then empty.
    private let services: [Member]

    /// A service that is a member of another.
    private struct Member: Sendable {
        let health: HealthTable
        /// Whether each of its backends, or of the services in it, may be given new sessions.
        let takesNewSessions: [Bool]

        var hasOneForNewSessions: Bool {
            takesNewSessions.indices.contains {
                takesNewSessions[$0] && health.isUp($0) && !health.isAvoided($0) && !health.isNewcomer($0)
            }
        }
    }

    /// - Parameter judgesAlone: whether sessions may be moved off a backend that is down without any other replica
    ///   having been heard.
    package init(count: Int, judgesAlone: Bool = true) {
        alone = Atomic(judgesAlone)
        backends = (0..<count).map { _ in BackendState() }
        services = []
    }

    /// The table of a service whose members are services. Each member follows the current state of its own backends. It
    /// is up while one of them is; leavable if it has backends and all of them are; avoided if none of those that take
    /// new sessions is both up and not avoided. Marking a member in this table has no effect.
    ///
    /// - Parameter services: for each, its health, and which of its backends take new sessions.
    package init(of services: [(health: HealthTable, takesNewSessions: [Bool])]) {
        alone = Atomic(true)
        backends = []
        self.services = services.map { Member(health: $0, takesNewSessions: $1) }
    }

    /// The table of a changed membership. Both tables share the state of a backend that stays, so nothing is lost while
    /// some event loops use one and some the other.
    ///
    /// - Parameter kept: for each backend of the new membership, its index in `old` if it is the same server; nil for a
    ///   backend that starts as up. An index out of range counts as nil.
    package init(succeeding old: HealthTable, kept: [Int?]) {
        alone = Atomic(old.judgesAlone)
        backends = kept.map { place in
            place.flatMap { old.backends.indices.contains($0) ? old.backends[$0] : nil } ?? BackendState()
        }
        services = []
    }

    package var count: Int { services.isEmpty ? backends.count : services.count }

    /// Whether sessions may be moved off a backend that is down here without the fleet's consent.
    package var judgesAlone: Bool { alone.load(ordering: .relaxed) }

    /// True without a fleet, or in a fleet of one.
    package func setJudgesAlone(_ value: Bool) { alone.store(value, ordering: .relaxed) }

    /// Whether the backend has no cause that makes it down. False for an index out of range.
    package func isUp(_ index: Int) -> Bool {
        guard contains(index) else { return member(index)?.health.hasOneUp ?? false }
        return backends[index].isUp
    }

    /// The causes found out against the backend. For a service: none while one of its backends is up, else the causes
    /// of all of them. Absent for an index out of range.
    package func causes(against index: Int) -> HealthCauses {
        guard contains(index) else { return member(index)?.health.causesAgainstAll ?? .absent }
        return backends[index].causes
    }

    /// Whether this replica may move sessions off the backend: it is down here, and the fleet agrees or this replica
    /// judges alone. False for an index out of range.
    package func mayReassign(_ index: Int) -> Bool {
        guard contains(index) else { return member(index)?.health.mayReassignAll ?? false }
        return !backends[index].isUp && (judgesAlone || backends[index].mayReassign)
    }

    /// Whether most of the fleet reports the backend as down although it is not down here: not a target of moves and
    /// detours while there is another.
    package func isAvoided(_ index: Int) -> Bool {
        guard contains(index) else { return member(index).map { !$0.hasOneForNewSessions } ?? false }
        return backends[index].isAvoided
    }

    /// Whether the backend waits for its first good check: no new sessions while another can take them. False for
    /// services, and for an index out of range.
    package func isNewcomer(_ index: Int) -> Bool { contains(index) && backends[index].isNewcomer }

    /// See ``BackendState/share(slowStartMilliseconds:now:)``. All of it for services.
    package func share(_ index: Int, slowStartMilliseconds: Int64, now: Instant) -> Int64 {
        guard contains(index) else { return BackendState.wholeShare }
        return backends[index].share(slowStartMilliseconds: slowStartMilliseconds, now: now)
    }

    /// Whether the backend is at its limit of requests here: it gets no new sessions while there is another.
    func isFull(_ index: Int) -> Bool { contains(index) && backends[index].capacity.isFull }

    /// See ``BackendState/begin(_:by:)``.
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
        if contains(index) { backends[index].setMayReassign(value) }
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

    /// False without backends: other replicas may have some, and a backend that is briefly missing comes back.
    private var mayReassignAll: Bool { count > 0 && (0..<count).allSatisfy { mayReassign($0) } }

    private func contains(_ index: Int) -> Bool { index >= 0 && index < backends.count }
}
