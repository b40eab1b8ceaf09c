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
    let settings: StoreSettings
    let endpoints: any EndpointSource
    let resolver: NameResolver
    /// When it was last tried, and which of its errors have been logged.
    let status: PrimaryStatus
    /// Which server its coherence channel hears.
    let link = ChannelServer()
    /// The servers it has been, and whether they may be asked.
    let servers: WatchedServers

    /// - Parameters:
    ///   - number: counted from 0.
    ///   - loops: the number of event loops that keep a connection to it.
    package convenience init(_ settings: StoreSettings, number: Int = 0, loops: Int) {
        self.init(settings, number: number, endpoints: FixedEndpoint(endpoint: settings.endpoint), loops: loops)
    }

    init(
        _ settings: StoreSettings, number: Int = 0, endpoints: any EndpointSource, loops: Int,
        resolver: NameResolver = .shared
    ) {
        self.settings = settings
        self.number = number
        self.endpoints = endpoints
        self.resolver = resolver
        status = PrimaryStatus(loops: loops)
        servers = WatchedServers(leaseMilliseconds: settings.lease.wholeMilliseconds, link: link)
    }
}
