/// Why a request went where it went. The raw value appears in logs and labels metrics.
package enum Provenance: String, Hashable, Sendable, CaseIterable {
    /// By this replica's cache.
    case cached
    /// By the record that the store held.
    case stored
    /// By a binding that this request wrote to the store.
    case claimed
    /// The bound backend was not usable: the session was moved to the first usable one in its order.
    case rebound
    /// Without the store, by the hint in the client's cookie, or at the backend that a cookie proposes.
    case hinted
    /// By rendezvous hashing alone: the store was unavailable, and nothing was known.
    case hashed
    /// For this request only, with nothing recorded. Usually not the session's own backend.
    case detoured
    /// The first request of a session that is given the affinity cookie: placed, and nothing written until the client
    /// returns.
    case placed
    /// No session: balanced over the usable backends.
    case balanced
}
