import Configuration
import NIOCore
import Proxy

extension EntryPoint {
    init(_ settings: EntryPointSettings, index: Int) {
        self.init(
            name: settings.name, index: index, trustedPeers: settings.trustedPeers,
            limits: EntryPointLimits(settings.transport))
    }
}

extension EntryPointLimits {
    init(_ settings: TransportSettings) {
        self.init()
        headTimeout = TimeAmount(settings.headTimeout)
        readTimeout = settings.readTimeout.map { TimeAmount($0) }
        bodyGapTimeout = settings.bodyGapTimeout.map { TimeAmount($0) }
        writeTimeout = settings.writeTimeout.map { TimeAmount($0) }
        idleTimeout = settings.idleTimeout.map { TimeAmount($0) }
        keepAliveMaxRequests = settings.keepAliveMaxRequests
        keepAliveMaxTime = settings.keepAliveMaxTime.map { TimeAmount($0) }
    }
}
