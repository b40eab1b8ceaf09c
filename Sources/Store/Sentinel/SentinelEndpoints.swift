import Affinity
import Synchronization

/// Where the primary is that Sentinels name. ``SentinelMonitor`` sets it; the connections of all event loops read it.
package final class SentinelEndpoints: EndpointSource {
    private struct State {
        var endpoint: RedisEndpoint?
        var onFailure: (@Sendable () -> Void)?
    }

    /// What all primaries have in common: credentials and database.
    private let template: RedisEndpoint
    private let state = Mutex(State())

    init(template: RedisEndpoint) {
        self.template = template
    }

    func next(after failure: ConnectionFailure?) -> RedisEndpoint? {
        let (endpoint, onFailure) = state.withLock { ($0.endpoint, $0.onFailure) }
        if failure != nil { onFailure?() }
        return endpoint
    }

    /// The current address of the primary. Nil until one is known.
    func set(_ address: ServerAddress) {
        var endpoint = template
        endpoint.address = RedisEndpoint.Address(address)
        state.withLock { $0.endpoint = endpoint }
    }

    /// `body` is called on any loop when a connection to the primary has been lost, or could not be made.
    func onFailure(_ body: (@Sendable () -> Void)?) {
        state.withLock { $0.onFailure = body }
    }
}

extension RedisEndpoint.Address {
    init(_ address: ServerAddress) { self = .host(address.host, port: address.port) }
}
