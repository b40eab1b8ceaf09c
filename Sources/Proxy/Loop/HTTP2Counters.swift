package import HTTP2Wire

/// What happened on HTTP/2 connections.
package struct HTTP2Counters: Sendable {
    /// Connections that ended because the peer flooded them.
    package var floods: [HTTP2Flood: UInt64] = [:]

    package mutating func add(_ other: HTTP2Counters) {
        floods.merge(other.floods, uniquingKeysWith: &+)
    }
}
