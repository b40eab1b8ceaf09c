import Affinity
import Logging
import NIOCore
import Store

/// Makes the store of each event loop as configured, with what they share.
struct LoopStores: Sendable {
    private enum Shared: Sendable {
        case redis(StoreSettings, StoreOutlook, ChannelLink)
        case memory(MemoryRecords)
    }

    private let shared: Shared
    private let logger: Logger

    init(_ configuration: Configuration, loops: Int, logger: Logger) {
        self.logger = logger
        if let redis = configuration.store.redis {
            shared = .redis(
                StoreSettings(
                    endpoint: redis.endpoint, namespace: configuration.fleet.namespace,
                    connectTimeout: redis.connectTimeout, commandTimeout: redis.commandTimeout),
                StoreOutlook(loops: loops), ChannelLink())
        } else {
            shared = .memory(
                MemoryRecords(
                    capacity: configuration.store.cacheEntries, seed: .random(in: .min ... .max)))
        }
    }

    /// What the stores share with the coherence channel; nil where there is none.
    func shared(coherence: Coherence, cache: BindingCache) -> RedisChannel.Shared? {
        guard case .redis(_, let outlook, let link) = shared else { return nil }
        return RedisChannel.Shared(coherence: coherence, cache: cache, link: link, outlook: outlook)
    }

    func make(on loop: any EventLoop) -> LoopStore {
        switch shared {
        case .redis(let settings, let outlook, let link):
            .redis(RedisStore(eventLoop: loop, settings: settings, outlook: outlook, link: link, logger: logger))
        case .memory(let records):
            .memory(MemoryStore(records: records, eventLoop: loop))
        }
    }
}
