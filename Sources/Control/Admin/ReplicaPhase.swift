import Synchronization

/// The phase of a replica's life, as seen from outside.
package final class ReplicaPhase: Sendable {
    package enum Phase: UInt8, AtomicRepresentable, Sendable {
        /// Not serving yet; becomes `serving` or `stopping`.
        case starting
        /// Serving, whether or not the store can be reached; becomes `stopping`.
        case serving
        /// Finishing requests under way; never changes again.
        case stopping
    }

    private let phase = Atomic<Phase>(.starting)

    package init() {}

    package var current: Phase { phase.load(ordering: .relaxed) }

    /// Enters `serving`, unless the replica is already stopping.
    package func serve() {
        _ = phase.compareExchange(expected: .starting, desired: .serving, ordering: .relaxed)
    }

    package func stop() {
        phase.store(.stopping, ordering: .relaxed)
    }
}
