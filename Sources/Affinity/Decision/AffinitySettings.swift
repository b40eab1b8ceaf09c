/// What the decisions of one service depend on beside its backends. All durations are milliseconds.
package struct AffinitySettings: Hashable, Sendable {
    /// What becomes of a session whose backend is not usable.
    package enum Unavailability: String, Hashable, Sendable, CaseIterable {
        /// It is moved to the next backend in its order, for good.
        case move
        /// Its requests go to the next backend in its order until its own is usable again.
        case detour
        /// Its requests are refused until its own backend is usable again.
        case reject
    }

    /// The idle timeout where none is configured: a day.
    package static let defaultIdleTimeoutMilliseconds: Int64 = 24 * 60 * 60 * 1000

    /// How long a session lives without a request.
    package let idleTimeoutMilliseconds: Int64
    /// How long a session lives at most, counted from its first request; nil: as long as it has requests.
    package let absoluteTimeoutMilliseconds: Int64?
    package let onUnavailable: Unavailability
    /// How a session is placed that nobody knows, where the placement will be recorded or carried in a hint.
    package var placement: PlacementStrategy
    /// How long a record lives when it is written or touched: 4/3 of the idle timeout.
    package let recordLifetimeMilliseconds: Int64
    /// How long the coherence channel counts as live after the sending of a heartbeat that came back.
    package let leaseMilliseconds: Int64
    /// How long a request may wait for the store. Once it is over, no further question is asked for it.
    package let budgetMilliseconds: Int64

    /// - Parameter idleTimeout: nil where none is configured. Cut to a second at least and a year at most.
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
