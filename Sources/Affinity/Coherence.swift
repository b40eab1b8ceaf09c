import Synchronization

/// Whether what this replica remembers may be used without asking: the leases and generations of its coherence
/// channels, as all event loops read them.
///
/// One channel for each primary of the store; what is remembered is current only while all of them are live. An entry
/// belongs to the current generation if the store was asked for it, or it was heard, since the generation began.
package final class Coherence: Sendable {
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

    private let standings: Mutex<[Standing]>
    private let liveUntil: Atomic<Int64>
    private let generationBegan: Atomic<Int64>
    private let lineages: Atomic<UInt64>
    private let agreement = Atomic<Bool>(true)
    private let isReconfiguring = Atomic<Bool>(false)

    /// - Parameter primaries: the primaries of the store, 1 or more; the channel of each is down.
    package convenience init(primaries: Int) {
        self.init(Array(repeating: .down, count: max(1, primaries)))
    }

    /// For a replica that shares its memory with nobody: always live.
    package static func alone() -> Coherence {
        Coherence([Standing(liveUntil: .distantFuture, generationBegan: .distantPast, lineage: 0)])
    }

    private init(_ standings: [Standing]) {
        let whole = Self.whole(of: standings)
        self.standings = Mutex(standings)
        liveUntil = Atomic(whole.liveUntil.nanoseconds)
        generationBegan = Atomic(whole.generationBegan.nanoseconds)
        lineages = Atomic(whole.lineage)
    }

    private static func whole(of standings: [Standing]) -> Standing {
        Standing(
            liveUntil: standings.map(\.liveUntil).min() ?? .distantPast,
            generationBegan: standings.map(\.generationBegan).max() ?? .distantFuture,
            lineage: standings.reduce(0) { $0 &+ $1.lineage })
    }

    /// Says what the channel of a primary vouches for from now on. An index that is none is ignored.
    package func publish(_ standing: Standing, primary: Int = 0) {
        standings.withLock { standings in
            guard standings.indices.contains(primary) else { return }
            standings[primary] = standing
            let whole = Self.whole(of: standings)
            // Readers look at the lease first: one that sees the new lease sees the generation it belongs to.
            lineages.store(whole.lineage, ordering: .relaxed)
            generationBegan.store(whole.generationBegan.nanoseconds, ordering: .releasing)
            liveUntil.store(whole.liveUntil.nanoseconds, ordering: .releasing)
        }
    }

    /// Whether every message has been heard until now, give or take one on its way.
    package func isLive(_ now: Instant) -> Bool {
        now.nanoseconds < liveUntil.load(ordering: .acquiring)
    }

    /// Whether what was learnt at this time may be used now without asking: a change would have been heard.
    package func covers(_ learnt: Instant, now: Instant) -> Bool {
        isLive(now) && learnt.nanoseconds >= generationBegan.load(ordering: .acquiring)
    }

    /// Changes when the store may have lost what was written to it.
    package var lineage: UInt64 { lineages.load(ordering: .relaxed) }

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
