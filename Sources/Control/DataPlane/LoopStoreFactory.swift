import Affinity
import Configuration
import Logging
import NIOCore
import Store

/// Creates the configured store for each event loop, with the parts that the stores share.
struct LoopStoreFactory: Sendable {
    private enum Shared: Sendable {
        case redis(StoreRouterFactory)
        case memory(MemoryRecords)
    }

    private let shared: Shared

    init(_ configuration: Configuration, loops: Int, logger: Logger) {
        if let redis = configuration.store.redis {
            let settings = StoreSettings(
                endpoint: redis.endpoint, sentinel: redis.sentinel.map { Self.sentinels($0, logger) },
                namespace: configuration.fleet.namespace,
                connectTimeout: redis.connectTimeout, commandTimeout: redis.commandTimeout,
                lease: configuration.store.lease, tls: redis.tls.map { Self.tls($0, logger) })
            let connections = min(redis.connections, loops)
            let primary = RedisPrimary(settings, connections: connections)
            shared = .redis(StoreRouterFactory([primary], connections: connections, logger: logger))
        } else {
            shared = .memory(
                MemoryRecords(
                    capacity: configuration.store.cacheEntries, seed: .random(in: .min ... .max)))
        }
    }

    private static func sentinels(_ options: SentinelOptions, _ logger: Logger) -> SentinelSettings {
        SentinelSettings(
            endpoints: options.endpoints, primaryName: options.primaryName, tls: options.tls.map { tls($0, logger) })
    }

    private static func tls(_ options: ClientTLSOptions, _ logger: Logger) -> RedisTLS {
        RedisTLS(options.settings, logger: logger) { try options.reread() }
    }

    /// Must be called on the loop, for one loop after the other.
    func make(on loop: any EventLoop) -> LoopStore {
        switch shared {
        case .redis(let routers):
            .redis(routers.make(on: loop))
        case .memory(let records):
            .memory(MemoryStore(records: records, eventLoop: loop))
        }
    }
}
