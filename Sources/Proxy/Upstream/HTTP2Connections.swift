/// The HTTP/2 connections to one backend on one event loop.
struct HTTP2Connections {
    private(set) var all: [HTTP2BackendConnection] = []
    /// The backend spoke HTTP/2 when it was last connected to, or its URL says that it does.
    private(set) var areSpoken: Bool

    init(areSpoken: Bool) {
        self.areSpoken = areSpoken
    }

    var isEmpty: Bool { all.isEmpty }

    /// The connection with room that has the fewest streams, the oldest of several: the others can time out.
    var leastLoaded: HTTP2BackendConnection? {
        var best: HTTP2BackendConnection?
        for connection in all where connection.hasRoom && connection.load < best?.load ?? .max { best = connection }
        return best
    }

    var idleCount: Int { all.isEmpty ? 0 : all.count { $0.load == 0 } }

    var firstIdle: HTTP2BackendConnection? { all.first { $0.load == 0 } }

    /// How many streams a new connection is taken to allow: what another one does.
    var assumedStreams: Int {
        max(1, all.lazy.compactMap(\.allowedStreams).first ?? HTTP2BackendConnection.streamsMax)
    }

    mutating func add(_ connection: HTTP2BackendConnection) {
        areSpoken = true
        all.append(connection)
    }

    mutating func remove(_ connection: HTTP2BackendConnection) { all.removeAll { $0 === connection } }

    /// The backend was connected to, and speaks HTTP/1.1.
    mutating func areNotSpoken() { areSpoken = false }
}
