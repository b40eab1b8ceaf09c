import Affinity
import LimpetTestKit
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import Store

/// A store and its coherence channel on one loop, as a replica has them.
final class ChannelDriver: Sendable {
    struct Parts {
        let store: RedisStore
        let channel: RedisChannel
    }

    let primary: RedisPrimary
    let store: StoreDriver
    let coherence = Coherence(primaries: 1)
    let cache = BindingCache(entries: 10_000)
    let fleet = Payloads()
    let announcements = Announcements()
    private let parts: NIOLoopBound<Parts>

    convenience init(
        _ settings: StoreSettings, instance: InstanceID = InstanceID(random: .random(in: 0...(.max)))
    ) throws {
        try self.init(RedisPrimary(settings, connections: 1), instance: instance)
    }

    init(_ primary: RedisPrimary, instance: InstanceID = InstanceID(random: .random(in: 0...(.max)))) throws {
        self.primary = primary
        let store = try StoreDriver.redis(primary)
        self.store = store
        let lines = store.lines
        let loop = store.loop
        parts = try store.runRedis { [coherence, cache] redis in
            let channel = RedisChannel(
                store: redis, instance: instance, coherence: coherence, cache: cache,
                logger: Logger(label: "test") { _ in lines.handler })
            channel.start()
            return NIOLoopBound(Parts(store: redis, channel: channel), eventLoop: loop)
        }
        try run { [fleet, announcements] parts in
            parts.channel.onFleetMessage = { payload, _ in fleet.append(payload) }
            parts.channel.onAnnouncement = { announcement, _ in announcements.append(announcement) }
        }
    }

    @discardableResult
    func run<Result: Sendable>(_ body: @Sendable @escaping (Parts) -> Result) throws -> Result {
        if store.loop.inEventLoop { return body(parts.value) }
        return try store.loop.submit { [parts] in body(parts.value) }.wait()
    }

    var isLive: Bool { coherence.isLive(primary: 0, now: .now) }

    var counters: ChannelCounters { get throws { try run { $0.channel.counters } } }
    var generations: UInt64 { get throws { try run { $0.channel.generations } } }
    var isUp: Bool { get throws { try run { $0.channel.state != .down } } }

    /// Announces sessions. Nil if that cannot be sent.
    func announce(_ fingerprints: [Fingerprint], hasLeftOut: Bool) async throws -> AnnounceReply? {
        let promise = store.loop.makePromise(of: AnnounceReply?.self)
        store.loop.execute { [parts] in
            let waiter = Once(promise: promise)
            let isSent = parts.value.channel.announce(fingerprints, hasLeftOut: hasLeftOut) { waiter.receive($0) }
            waiter.isAsking = false
            if !isSent { waiter.receive(nil) }
        }
        return try await promise.futureResult.get()
    }

    /// Waits until what is remembered may be used.
    func live(within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit) { self.isLive }
    }

    func stop() async throws {
        try await store.loop.flatSubmit { [parts] in parts.value.channel.stop() }.get()
        try await store.stop()
    }
}

/// What was heard of the fleet.
final class Payloads: Sendable {
    private let payloads = Mutex<[[UInt8]]>([])

    var all: [[UInt8]] { payloads.withLock { $0 } }

    func append(_ payload: UnsafeRawBufferPointer) {
        let bytes = Array(payload)
        payloads.withLock { $0.append(bytes) }
    }
}

/// What was heard of the records of others.
final class Announcements: Sendable {
    private let announcements = Mutex<[Announcement]>([])

    var all: [Announcement] { announcements.withLock { $0 } }

    func append(_ announcement: Announcement) { announcements.withLock { $0.append(announcement) } }
}
