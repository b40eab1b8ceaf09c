/// How the backend of a session is chosen that nobody knows, or of a request without a session. What is decided without
/// the store always goes by ``hrw``, for all replicas must then choose alike.
package enum PlacementStrategy: String, Hashable, Sendable, CaseIterable {
    /// The first of the session's order by weighted rendezvous hashing that is within its bounded load.
    case hrw
    /// Smooth weighted round robin.
    case wrr
    /// Of two drawn at random by weight, the one with fewer requests in flight for its weight.
    case p2c
}
