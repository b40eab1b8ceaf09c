/// Tunnels of one service that have ended.
package struct TunnelCounters: Equatable, Sendable {
    /// By what ended them.
    package var ended: [Reason: UInt64] = [:]
    package var bytesFromClient: UInt64 = 0
    package var bytesFromBackend: UInt64 = 0

    package init() {}

    package mutating func add(_ other: TunnelCounters) {
        ended.merge(other.ended, uniquingKeysWith: &+)
        bytesFromClient &+= other.bytesFromClient
        bytesFromBackend &+= other.bytesFromBackend
    }
}
