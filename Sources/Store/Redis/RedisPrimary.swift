import Affinity
import Networking

/// One primary of the store: the state that the connections of all event loops and the coherence channel share. Locked
/// only when a connection or heartbeat comes or goes, or a command fails; an operation otherwise only loads
/// `link.version`.
///
/// A store that is a single server has one primary. Each primary has its own error log, reconnect pace and channel, so
/// that an unavailable primary neither slows nor silences another.
package final class RedisPrimary: Sendable {
    /// The number by which `PrimaryMap` refers to it.
    let number: Int
    let target: ConnectionTarget
    /// Where Sentinels name the primary, what they say. Nil if its endpoint is configured.
    let named: SentinelEndpoints?
    /// Which server its coherence channel hears.
    let link = ChannelServer()
    /// The servers it has been, and whether they may be asked.
    let servers: WatchedServers

    /// - Parameters:
    ///   - number: counted from 0.
    ///   - connections: the number of event loops that keep a connection to it.
    package convenience init(_ settings: StoreSettings, number: Int = 0, connections: Int) {
        let named = settings.sentinel.map { _ in SentinelEndpoints(template: settings.endpoint) }
        self.init(
            settings, number: number, endpoints: named ?? FixedEndpoint(endpoint: settings.endpoint), named: named,
            connections: connections)
    }

    init(
        _ settings: StoreSettings, number: Int = 0, endpoints: any EndpointSource, named: SentinelEndpoints? = nil,
        connections: Int, resolver: NameResolver = .shared
    ) {
        self.number = number
        self.named = named
        servers = WatchedServers(
            leaseMilliseconds: settings.lease.wholeMilliseconds, areNamedBySentinels: named != nil, link: link)
        target = ConnectionTarget(
            settings: settings, endpoints: endpoints, status: PrimaryStatus(dataConnections: connections),
            tls: settings.tls,
            resolver: resolver, servers: servers)
    }

    package var settings: StoreSettings { target.settings }
    var status: PrimaryStatus { target.status }

    /// From now on, this is the primary. Connections to another are ended, and made anew at once.
    func move(to address: ServerAddress) {
        named?.set(address)
        status.endpointChanged(now: .now)
        link.endpointChanged()
    }
}
