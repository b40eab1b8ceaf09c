/// One primary of the store, as a replica knows it: what the connections of all its event loops and its coherence
/// channel share. Touched only when a connection comes or goes.
///
/// A store that is one server has one. Each has troubles, a pace of reconnecting and a channel of its own, so that a
/// primary that is away neither slows nor silences another.
package final class RedisPrimary: Sendable {
    /// Its number, by which `PrimaryMap` names it.
    let number: Int
    let settings: StoreSettings
    let endpoints: any EndpointSource
    /// When it was last tried, and which of its troubles have been said.
    let status: PrimaryStatus
    /// Which server its coherence channel hears.
    let link = ChannelServer()

    /// - Parameters:
    ///   - number: from 0.
    ///   - loops: how many event loops keep a connection to it.
    package convenience init(_ settings: StoreSettings, number: Int = 0, loops: Int) {
        self.init(settings, number: number, endpoints: FixedEndpoint(endpoint: settings.endpoint), loops: loops)
    }

    init(_ settings: StoreSettings, number: Int = 0, endpoints: any EndpointSource, loops: Int) {
        self.settings = settings
        self.number = number
        self.endpoints = endpoints
        status = PrimaryStatus(loops: loops)
    }
}
