/// What a coherence channel has sent and received since the start.
package struct ChannelCounters: Sendable {
    /// Subscriptions made.
    package internal(set) var connections: UInt64 = 0
    /// Attempts to subscribe that failed, and subscriptions lost.
    package internal(set) var connectionFailures: UInt64 = 0
    package internal(set) var heartbeats: UInt64 = 0
    /// Heartbeats that came back and extended the lease.
    package internal(set) var echoes: UInt64 = 0
    /// Moves received, including moves of sessions that this replica does not know.
    package internal(set) var rebinds: UInt64 = 0
    /// Fleet messages received, including this replica's own.
    package internal(set) var fleetMessages: UInt64 = 0
    /// Announcements received, including this replica's own.
    package internal(set) var announcements: UInt64 = 0
    /// Messages that are not in Limpet's format.
    package internal(set) var aliens: UInt64 = 0

    package init() {}
}
