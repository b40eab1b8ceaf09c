import Synchronization

/// Where a replica stands in its life, for whoever asks from outside.
package final class ReplicaPhase: Sendable {
    package enum Phase: UInt8, AtomicRepresentable, Sendable {
        /// Not serving yet; becomes `serving` or `stopping`.
        case starting
        /// Serving, whether the store can be reached or not; becomes `stopping`.
        case serving
        /// Finishing what is under way; stays so.
        case stopping
    }

    private let phase = Atomic<Phase>(.starting)

    package init() {}

    package var current: Phase { phase.load(ordering: .relaxed) }

    /// From now on it serves, unless it is being stopped already.
    package func serve() {
        _ = phase.compareExchange(expected: .starting, desired: .serving, ordering: .relaxed)
    }

    package func stop() {
        phase.store(.stopping, ordering: .relaxed)
    }
}
