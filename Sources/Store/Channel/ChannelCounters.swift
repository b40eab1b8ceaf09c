/// What a coherence channel has said and heard since the start.
package struct ChannelCounters: Sendable {
    /// Subscriptions that were made.
    package internal(set) var connections: UInt64 = 0
    /// Attempts to subscribe that failed, and subscriptions lost.
    package internal(set) var connectionFailures: UInt64 = 0
    package internal(set) var heartbeats: UInt64 = 0
    /// Heartbeats that came back and extended the lease.
    package internal(set) var echoes: UInt64 = 0
    /// Moves heard, of sessions known here and others.
    package internal(set) var rebinds: UInt64 = 0
    /// Messages of the fleet, this replica's own included.
    package internal(set) var fleetMessages: UInt64 = 0
    /// Messages that were none of Limpet's.
    package internal(set) var aliens: UInt64 = 0

    package init() {}
}
