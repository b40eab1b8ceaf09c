import Affinity
import LimpetTestKit
import Logging
import NIOCore

@testable import Store

/// The stores of a replica's event loops, each with a thread of its own. The first loops have the connections.
struct RouterDriver {
    let loops: [StoreDriver]
    let primaries: [RedisPrimary]
    let lines: LogLines

    init(_ settings: StoreSettings, loops: Int, connections: Int) throws {
        try self.init(
            [RedisPrimary(settings, connections: connections)], loops: loops, connections: connections)
    }

    /// - Parameter primaries: in the order of their numbers.
    init(_ primaries: [RedisPrimary], loops count: Int, connections: Int) throws {
        self.primaries = primaries
        let lines = LogLines()
        self.lines = lines
        let factory = StoreRouterFactory(
            primaries, connections: connections, logger: Logger(label: "test") { _ in lines.handler })
        loops = try (0..<count).map { _ in
            try StoreDriver { loop, _ in
                let router = factory.make(on: loop)
                router.start()
                return router
            }
        }
    }

    var first: StoreDriver { loops[0] }
    /// Forwards to one of the first.
    var last: StoreDriver { loops[loops.count - 1] }

    /// Waits until the store is available on each loop.
    func ready(within limit: Duration = .seconds(30)) async throws {
        for loop in loops { try await loop.ready(within: limit) }
    }

    /// In the order of a replica's stop.
    func stop() async throws {
        for loop in loops { try await loop.run { ($0 as? StoreRouter)?.stopForwarding() } }
        for loop in loops { try await loop.stop() }
    }

    /// The counters of all loops together.
    func counters() async throws -> StoreCounters {
        var total = StoreCounters()
        for loop in loops { total.add(try await loop.counters()) }
        return total
    }
}
