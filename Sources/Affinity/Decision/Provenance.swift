/// Why a request went where it went. The raw value stands in logs and labels metrics.
package enum Provenance: String, Hashable, Sendable, CaseIterable {
    /// By this replica's cache.
    case cached
    /// By the record that the store held.
    case stored
    /// By a binding that this request wrote to the store.
    case claimed
    /// The bound backend was not usable: moved to the next in order.
    case rebound
    /// By the hint in the client's cookie, without the store.
    case hinted
    /// By rendezvous hashing alone: nobody could be asked, and nothing was known.
    case hashed
    /// Not to the session's backend, for this request only.
    case detoured
    /// The first request of a session that is given our cookie: placed, and nothing written until the client returns.
    case placed
    /// No session: balanced over the usable backends.
    case balanced
}
