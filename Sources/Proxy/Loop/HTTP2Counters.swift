package import HTTP2Wire

/// What happened on the HTTP/2 connections of clients.
package struct HTTP2Counters: Equatable, Sendable {
    package internal(set) var connections: UInt64 = 0
    package internal(set) var requests: UInt64 = 0
    /// Connections that ended because the peer flooded them.
    package internal(set) var floods: [HTTP2Flood: UInt64] = [:]

    package init(connections: UInt64 = 0, requests: UInt64 = 0, floods: [HTTP2Flood: UInt64] = [:]) {
        self.connections = connections
        self.requests = requests
        self.floods = floods
    }

    package mutating func add(_ other: HTTP2Counters) {
        connections &+= other.connections
        requests &+= other.requests
        floods.merge(other.floods, uniquingKeysWith: &+)
    }
}
