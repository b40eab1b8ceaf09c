import Synchronization

/// Whether this replica may use what it remembers about a session without querying the store: the leases and
/// generations of its coherence channels, as all event loops read them.
///
/// There is one channel for each primary of the store. What is remembered about a session is current while the channel
/// of the primary that holds its record is live, regardless of the others. An entry belongs to the current generation
/// of that channel if its operation was sent, or its message heard, since the generation began.
///
/// Unchecked: the memory of the statuses is written before the object is shared; from then on it is accessed only as
/// atomics.
package final class Coherence: @unchecked Sendable {
    /// What one channel vouches for.
    package struct Status: Hashable, Sendable {
        /// Until this time, no message is missed.
        package var liveUntil: Instant
        /// Every message since this time has been heard.
        package var generationBegan: Instant
        /// Grows when the server, or the data in it, is replaced by another.
        package var lineage: UInt64
        /// When the lineage began. What was known before may be lost to the store.
        package var lineageBegan: Instant
        /// Grows when the store is found with an era that is not the one seen before: its data was replaced or lost as
        /// a whole. The lineage grows with it.
        package var eras: UInt64

        /// The status of a channel that is down.
        package static let down = Status(liveUntil: .distantPast, generationBegan: .distantFuture, lineage: 0)

        package init(
            liveUntil: Instant, generationBegan: Instant, lineage: UInt64, lineageBegan: Instant = .distantPast,
            eras: UInt64 = 0
        ) {
            self.liveUntil = liveUntil
            self.generationBegan = generationBegan
            self.lineage = lineage
            self.lineageBegan = lineageBegan
            self.eras = eras
        }
    }

    /// A status that one event loop writes and all loops read.
    private struct SharedStatus: ~Copyable {
        let liveUntil: Atomic<Int64>
        let generationBegan: Atomic<Int64>
        let lineage: Atomic<UInt64>
        let isRefilling = Atomic<Bool>(false)

        init(_ status: Status) {
            liveUntil = Atomic(status.liveUntil.nanoseconds)
            generationBegan = Atomic(status.generationBegan.nanoseconds)
            lineage = Atomic(status.lineage)
        }
    }

    /// Which primary holds a session's record.
    package let primaries: PrimaryMap
    /// What this replica has written and not announced to the others yet.
    package let written: WrittenSessions
    /// How fast this replica tells the store what it may not know.
    package let offerThrottle: OfferThrottle
    /// One per primary.
    private let statuses: UnsafeMutablePointer<SharedStatus>
    private let agreement = Atomic<Bool>(true)
    private let isReconfiguring = Atomic<Bool>(false)

    /// - Parameter primaries: the number of the store's primaries, 1 or more; the channel of each starts down.
    package convenience init(primaries: Int) {
        self.init(PrimaryMap(count: primaries), .down, replicas: nil)
    }

    /// For a replica that shares its bindings with no other: always live.
    package static func alone() -> Coherence {
        Coherence(
            PrimaryMap(count: 1), Status(liveUntil: .distantFuture, generationBegan: .distantPast, lineage: 0),
            replicas: 1)
    }

    private init(_ primaries: PrimaryMap, _ status: Status, replicas: Int?) {
        self.primaries = primaries
        written = WrittenSessions(primaries: primaries)
        offerThrottle = OfferThrottle(primaries: primaries.count, replicas: replicas)
        statuses = .allocate(capacity: primaries.count)
        for primary in 0..<primaries.count { (statuses + primary).initialize(to: SharedStatus(status)) }
    }

    deinit {
        statuses.deinitialize(count: primaries.count)
        statuses.deallocate()
    }

    /// Sets what the channel of a primary vouches for from now on. Only that channel calls this. An index out of range
    /// is ignored.
    package func publish(_ status: Status, primary: Int = 0) {
        guard (0..<primaries.count).contains(primary) else { return }
        // Readers load the lease first: a reader that sees the new lease also sees the generation that it belongs to.
        statuses[primary].lineage.store(status.lineage, ordering: .relaxed)
        statuses[primary].generationBegan.store(status.generationBegan.nanoseconds, ordering: .releasing)
        statuses[primary].liveUntil.store(status.liveUntil.nanoseconds, ordering: .releasing)
    }

    /// Whether every message about this session has been heard until now, except messages in flight.
    package func isLive(for fingerprint: Fingerprint, now: Instant) -> Bool {
        isLive(primary: primaries.primary(of: fingerprint), now: now)
    }

    /// Whether every message of this primary has been heard until now, except messages in flight.
    /// - Parameter primary: below the number of primaries.
    package func isLive(primary: Int, now: Instant) -> Bool {
        now.nanoseconds < statuses[primary].liveUntil.load(ordering: .acquiring)
    }

    /// Whether what became known about this session at the time `learnt` may be used now without querying the store: a
    /// change would have been heard.
    @inline(__always)
    package func covers(_ learnt: Instant, of fingerprint: Fingerprint, now: Instant) -> Bool {
        let primary = primaries.primary(of: fingerprint)
        return isLive(primary: primary, now: now)
            && learnt.nanoseconds >= statuses[primary].generationBegan.load(ordering: .acquiring)
    }

    /// Changes when this primary may have lost what was written to it.
    /// - Parameter primary: below the number of primaries.
    package func lineage(of primary: Int) -> UInt64 { statuses[primary].lineage.load(ordering: .relaxed) }

    /// Whether all replicas heard, and all loops of this replica, have the same configuration.
    package var configurationsAgree: Bool {
        agreement.load(ordering: .relaxed) && !isReconfiguring.load(ordering: .relaxed)
    }

    /// Set while the event loops switch to another configuration, one after the other. Meanwhile they know different
    /// backends: a loop that has not switched yet would take a new backend for a removed one.
    package func setReconfiguring(_ value: Bool) {
        isReconfiguring.store(value, ordering: .relaxed)
    }

    /// Whether any replica, this one included, offers what it knows to a store that may have lost data. As long as that
    /// goes on, an absent record proves little: guesses wait, and expired entries name the backend of a placement.
    package var isRefilling: Bool {
        (0..<primaries.count).contains { statuses[$0].isRefilling.load(ordering: .relaxed) }
    }

    /// Only the ``Standby`` of that primary calls this. An index out of range is ignored.
    package func setRefilling(_ value: Bool, primary: Int) {
        guard (0..<primaries.count).contains(primary) else { return }
        statuses[primary].isRefilling.store(value, ordering: .relaxed)
    }

    package func setConfigurationsAgree(_ agree: Bool) {
        agreement.store(agree, ordering: .relaxed)
    }
}
