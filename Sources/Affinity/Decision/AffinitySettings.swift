/// What the decisions of one service depend on in addition to its backends. All durations are in milliseconds.
package struct AffinitySettings: Hashable, Sendable {
    /// What happens to a session whose backend is not usable.
    package enum Unavailability: String, Hashable, Sendable, CaseIterable {
        /// It is moved permanently to the next usable backend in its order.
        case move
        /// Its requests go to the next usable backend in its order until its own is usable again.
        case detour
        /// Its requests are refused until its own backend is usable again.
        case reject
    }

    /// The idle timeout if none is configured: one day.
    package static let defaultIdleTimeoutMilliseconds: Int64 = 24 * 60 * 60 * 1000

    /// How long a session lives without a request.
    package let idleTimeoutMilliseconds: Int64
    /// How long a session lives at most, counted from its first request; nil: as long as it has requests.
    package let absoluteTimeoutMilliseconds: Int64?
    package let onUnavailable: Unavailability
    /// How an unknown session is placed, if the placement will be recorded or carried in a hint.
    package var placement: PlacementStrategy
    /// How long a backend that was added or came back is given less than its share of new sessions; 0: not at all.
    package var slowStartMilliseconds: Int64 = 0
    /// How long a record lives when it is written or touched: 4/3 of the idle timeout.
    package let recordLifetimeMilliseconds: Int64
    /// How long the coherence channel stays live after sending a heartbeat whose echo came back.
    package let leaseMilliseconds: Int64
    /// How long a request may wait for the store. After that, no further operation is sent for it.
    package let budgetMilliseconds: Int64

    /// - Parameter idleTimeoutMilliseconds: nil if none is configured. Raised to at least a second, cut to at most a
    ///   year.
    package init(
        idleTimeoutMilliseconds: Int64? = nil, absoluteTimeoutMilliseconds: Int64? = nil,
        onUnavailable: Unavailability = .move,
        placement: PlacementStrategy = .hrw, leaseMilliseconds: Int64 = 500, budgetMilliseconds: Int64 = 20
    ) {
        let year: Int64 = 365 * 24 * 60 * 60 * 1000
        self.idleTimeoutMilliseconds = min(
            max(1000, idleTimeoutMilliseconds ?? Self.defaultIdleTimeoutMilliseconds), year)
        self.absoluteTimeoutMilliseconds = absoluteTimeoutMilliseconds.map { min(max(1000, $0), year) }
        self.onUnavailable = onUnavailable
        self.placement = placement
        recordLifetimeMilliseconds = self.idleTimeoutMilliseconds / 3 * 4
        self.leaseMilliseconds = min(max(1, leaseMilliseconds), year)
        self.budgetMilliseconds = min(max(0, budgetMilliseconds), year)
    }
}
