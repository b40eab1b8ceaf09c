import Configuration
import NIOCore
import Proxy

extension EntryPoint {
    init(_ settings: EntryPointSettings, index: Int) {
        var limits = EntryPointLimits(settings.transport)
        limits.concurrentStreams = settings.http2.maxConcurrentStreams
        self.init(
            name: settings.name, index: index, trustedPeers: settings.trustedPeers, limits: limits,
            needsTLS: settings.http.tls != nil, servesHTTP2: settings.http2.isServed)
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

extension ServiceLimits {
    /// - Parameter threads: the event loops, each of which keeps its share of the idle connections, but at least one.
    init(_ service: ServiceSettings, threads: Int) {
        let settings = service.transport
        self.init()
        pool.maxRequests = service.maxRequests
        pool.queueSize = service.queue.size
        pool.queueTimeout = TimeAmount(service.queue.timeout)
        exchange.responseHead = settings.responseHeaderTimeout.map { TimeAmount($0) }
        exchange.responseGap = settings.responseGapTimeout.map { TimeAmount($0) }
        exchange.request = settings.requestTimeout.map { TimeAmount($0) }
        exchange.tunnel = settings.tunnelTimeout.map { TimeAmount($0) }
        pool.connectTimeout = settings.dialTimeout.map { TimeAmount($0) }
        pool.idleTimeout = settings.idleConnTimeout.map { TimeAmount($0) }
        pool.pings = settings.readIdleTimeout.map {
            PingLimits(after: TimeAmount($0), timeout: TimeAmount(settings.pingTimeout))
        }
        if let most = settings.maxIdleConnsPerHost { pool.idleConnections = (most + threads - 1) / max(1, threads) }
    }
}
