import Logging
import NIOCore
import Store

/// Makes the store of each event loop as configured, with what they share.
struct LoopStores: Sendable {
    private enum Shared: Sendable {
        case redis(StoreSettings, StoreOutlook)
        case memory(MemoryRecords)
    }

    private let shared: Shared
    private let logger: Logger

    init(_ configuration: Configuration, loops: Int, logger: Logger) {
        self.logger = logger
        if let redis = configuration.store.redis {
            shared = .redis(
                StoreSettings(
                    endpoint: RedisEndpoint(redis), namespace: StoreNamespace(configuration.fleet.namespace) ?? .limpet,
                    connectTimeout: redis.connectTimeout, commandTimeout: redis.commandTimeout),
                StoreOutlook(loops: loops))
        } else {
            shared = .memory(
                MemoryRecords(
                    capacity: configuration.store.cacheEntries, seed: .random(in: .min ... .max)))
        }
    }

    func make(on loop: any EventLoop) -> LoopStore {
        switch shared {
        case .redis(let settings, let outlook):
            .redis(RedisStore(eventLoop: loop, settings: settings, outlook: outlook, logger: logger))
        case .memory(let records):
            .memory(MemoryStore(records: records, eventLoop: loop))
        }
    }
}

extension RedisEndpoint {
    fileprivate init(_ redis: RedisOptions) {
        let address: Address =
            switch redis.address {
            case .tcp(let host, let port): .host(host, port: port)
            case .unix(let path): .unixSocket(path: path)
            }
        self.init(address: address, credentials: nil, database: redis.database)
    }
}
