/// How a backend is chosen for an unknown session, or for a request without a session. Decisions without the store
/// always use ``hrw``, because all replicas must then choose alike.
package enum PlacementStrategy: String, Hashable, Sendable, CaseIterable {
    /// The first backend in the session's order by weighted rendezvous hashing that is within its bounded load.
    case hrw
    /// Smooth weighted round robin.
    case wrr
    /// The one with fewer requests in flight relative to its weight, of two drawn at random by weight.
    case p2c
}
