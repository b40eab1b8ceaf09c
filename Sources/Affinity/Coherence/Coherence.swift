import Synchronization

/// Whether what this replica remembers of a session may be used without asking: the leases and generations of its
/// coherence channels, as all event loops read them.
///
/// One channel for each primary of the store. What is remembered of a session is current while the channel of the
/// primary that holds its record is live, whatever the others do. An entry belongs to the current generation if the
/// store was asked for it, or it was heard, since the generation of that channel began.
///
/// Unchecked: the memory of the standings is written before anybody shares it; from then on it is read and written as
/// atomics alone.
package final class Coherence: @unchecked Sendable {
    /// What one channel vouches for.
    package struct Standing: Hashable, Sendable {
        /// No message is missed before this time.
        package var liveUntil: Instant
        /// Since when every message has been heard.
        package var generationBegan: Instant
        /// Grows when the server, or the data in it, became another.
        package var lineage: UInt64

        /// Of a channel that is down.
        package static let down = Standing(liveUntil: .distantPast, generationBegan: .distantFuture, lineage: 0)

        package init(liveUntil: Instant, generationBegan: Instant, lineage: UInt64) {
            self.liveUntil = liveUntil
            self.generationBegan = generationBegan
            self.lineage = lineage
        }
    }

    /// A standing that one event loop writes and all read.
    private struct SharedStanding: ~Copyable {
        let liveUntil: Atomic<Int64>
        let generationBegan: Atomic<Int64>
        let lineage: Atomic<UInt64>

        init(_ standing: Standing) {
            liveUntil = Atomic(standing.liveUntil.nanoseconds)
            generationBegan = Atomic(standing.generationBegan.nanoseconds)
            lineage = Atomic(standing.lineage)
        }
    }

    /// Which primary holds which session's record.
    package let primaries: PrimaryMap
    /// One for each primary.
    private let standings: UnsafeMutablePointer<SharedStanding>
    private let agreement = Atomic<Bool>(true)
    private let isReconfiguring = Atomic<Bool>(false)

    /// - Parameter primaries: the primaries of the store, 1 or more; the channel of each is down.
    package convenience init(primaries: Int) {
        self.init(PrimaryMap(count: primaries), .down)
    }

    /// For a replica that shares its memory with nobody: always live.
    package static func alone() -> Coherence {
        Coherence(
            PrimaryMap(count: 1), Standing(liveUntil: .distantFuture, generationBegan: .distantPast, lineage: 0))
    }

    private init(_ primaries: PrimaryMap, _ standing: Standing) {
        self.primaries = primaries
        standings = .allocate(capacity: primaries.count)
        for primary in 0..<primaries.count { (standings + primary).initialize(to: SharedStanding(standing)) }
    }

    deinit {
        standings.deinitialize(count: primaries.count)
        standings.deallocate()
    }

    /// Says what the channel of a primary vouches for from now on. Called by that channel alone. An index that is none
    /// is ignored.
    package func publish(_ standing: Standing, primary: Int = 0) {
        guard (0..<primaries.count).contains(primary) else { return }
        // Readers look at the lease first: one that sees the new lease sees the generation it belongs to.
        standings[primary].lineage.store(standing.lineage, ordering: .relaxed)
        standings[primary].generationBegan.store(standing.generationBegan.nanoseconds, ordering: .releasing)
        standings[primary].liveUntil.store(standing.liveUntil.nanoseconds, ordering: .releasing)
    }

    /// Whether every message about this session has been heard until now, give or take one on its way.
    package func isLive(for fingerprint: Fingerprint, now: Instant) -> Bool {
        isLive(primary: primaries.primary(of: fingerprint), now: now)
    }

    /// Whether every message of this primary has been heard until now, give or take one on its way.
    /// - Parameter primary: below the number of primaries.
    package func isLive(primary: Int, now: Instant) -> Bool {
        now.nanoseconds < standings[primary].liveUntil.load(ordering: .acquiring)
    }

    /// Whether what was learnt of this session at this time may be used now without asking: a change would have been
    /// heard.
    @inline(__always)
    package func covers(_ learnt: Instant, of fingerprint: Fingerprint, now: Instant) -> Bool {
        let primary = primaries.primary(of: fingerprint)
        return isLive(primary: primary, now: now)
            && learnt.nanoseconds >= standings[primary].generationBegan.load(ordering: .acquiring)
    }

    /// Changes when this primary may have lost what was written to it.
    /// - Parameter primary: below the number of primaries.
    package func lineage(of primary: Int) -> UInt64 { standings[primary].lineage.load(ordering: .relaxed) }

    /// Whether all replicas heard have the same configuration, and all loops of this one.
    package var configurationsAgree: Bool {
        agreement.load(ordering: .relaxed) && !isReconfiguring.load(ordering: .relaxed)
    }

    /// While the event loops go over to another configuration, one after the other, they know different backends: a
    /// loop that is still to change would take one that is new for one that is gone.
    package func setReconfiguring(_ value: Bool) {
        isReconfiguring.store(value, ordering: .relaxed)
    }

    package func setConfigurationsAgree(_ agree: Bool) {
        agreement.store(agree, ordering: .relaxed)
    }
}
