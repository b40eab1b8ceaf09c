/// What the decisions of one service depend on beside its backends. All durations are milliseconds.
package struct AffinitySettings: Hashable, Sendable {
    /// The idle timeout where none is configured: a day.
    package static let defaultIdleTimeout: Int64 = 24 * 60 * 60 * 1000

    /// How long a session lives without a request.
    package let idleTimeout: Int64
    /// How long a record lives when it is written or touched: 4/3 of the idle timeout.
    package let recordLifetime: Int64
    /// How long a binding is used without asking after the store was asked and confirmed it.
    package let freshness: Int64
    /// How long a request may wait for the store. Once it is over, no further question is asked for it.
    package let budget: Int64

    /// - Parameter idleTimeout: nil where none is configured. Cut to a second at least and a year at most.
    package init(idleTimeout: Int64? = nil, freshness: Int64 = 1000, budget: Int64 = 20) {
        let year: Int64 = 365 * 24 * 60 * 60 * 1000
        self.idleTimeout = min(max(1000, idleTimeout ?? Self.defaultIdleTimeout), year)
        recordLifetime = self.idleTimeout / 3 * 4
        self.freshness = min(max(0, freshness), year)
        self.budget = min(max(0, budget), year)
    }
}
