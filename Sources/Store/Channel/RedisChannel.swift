package import Affinity
package import Logging
package import NIOCore

/// The coherence channel to one primary: the shell around `CoherenceChannel`, its subscription and its heartbeats.
/// Confined to the event loop of the store over which the heartbeats go, from `start` to the end of `stop`.
///
/// Tells `Coherence` what it vouches for, the cache what it hears, and the link which server that is of.
package final class RedisChannel {
    package let eventLoop: any EventLoop
    /// Read on the loop.
    package private(set) var counters = ChannelCounters()
    /// What the server that is heard says of itself. Nil before the first subscription.
    package private(set) var report: ServerReport?
    /// Called on the loop with every message of the fleet, this replica's own included: at most 16 KiB, valid within
    /// the call only.
    package var onFleetMessage: ((UnsafeRawBufferPointer, Instant) -> Void)?
    /// Called on the loop each time the channel is subscribed to.
    package var onSubscription: (() -> Void)?
    private let store: RedisStore
    private let primary: RedisPrimary
    private let coherence: Coherence
    private let cache: BindingCache
    private let names: ChannelNames
    private let logger: Logger
    private let subscription: ReconnectingConnection<SubscriberConnection>
    private var core: CoherenceChannel
    private var watch: ChannelServer.Subscription?
    private var timer: (callback: NIOScheduledCallback, due: Instant)?

    /// - Parameters:
    ///   - store: of the primary that is heard, on the loop on which the channel lives; the heartbeats go over its
    ///     connection.
    ///   - instance: one for the process.
    ///   - lease: how long an echo vouches for what is remembered, in milliseconds.
    ///   - coherence: the replica's, of as many primaries as it has.
    ///   - cache: the replica's.
    package init(
        store: RedisStore, instance: InstanceID, lease: Int64, coherence: Coherence, cache: BindingCache, logger: Logger
    ) {
        self.store = store
        eventLoop = store.eventLoop
        primary = store.primary
        self.coherence = coherence
        self.cache = cache
        self.logger = logger
        names = ChannelNames(namespace: store.primary.settings.namespace, instance: instance)
        subscription = ReconnectingConnection(to: store.primary, on: store.eventLoop)
        core = CoherenceChannel(lease: lease)
    }

    package var state: CoherenceChannel.State { core.state }

    /// Whether every message of its primary has been heard until now.
    package func isLive(_ now: Instant) -> Bool { core.isLive(now) }

    /// Generations begun.
    package var generations: UInt64 { core.generations }

    /// Publishes a message to the fleet. False where that cannot be tried now: no connection, too many under way, or
    /// above 16 KiB.
    package func publishFleet(_ payload: [UInt8]) -> Bool {
        guard payload.count <= ChannelNames.fleetMax else { return false }
        return store.publish(payload, on: names.fleet)
    }

    // MARK: Life

    package func start() {
        guard watch == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        watch = primary.link.watch { event in
            guard case .doubted(let error) = event else { return }
            loop.execute { bound.value.doubted(error) }
        }
        subscription.start(
            .init(
                makeHandler: {
                    SubscriberConnection(
                        owner: self, endpoint: $0, settings: self.primary.settings, names: self.names)
                }, failed: { self.attemptFailed($0) }))
        arm(.now)
    }

    /// Closes the subscription. The channel cannot be started again.
    package func stop() -> EventLoopFuture<Void> {
        timer?.callback.cancel()
        timer = nil
        if let watch { primary.link.end(watch) }
        return subscription.stop()
    }

    private func attemptFailed(_ error: StoreError) {
        counters.connectionFailures &+= 1
        if primary.status.shouldLog(error, to: .channel, now: .now) {
            logger.warning(
                "Rebind notifications are not received; cached bindings are not trusted until they are.",
                metadata: ["store": "\(subscription.endpoint)", "reason": "\(error.description)"])
        }
    }

    /// A data connection found that the server is not what the subscription takes it for.
    private func doubted(_ error: StoreError) {
        subscription.serving?.end(error)
    }
}

// MARK: - What the subscription says

extension RedisChannel {
    func subscribed(to report: ServerReport) {
        subscription.greeted(now: .now)
        counters.connections &+= 1
        self.report = report
        // Before the generation begins: whoever asks in it knows which server is heard.
        primary.link.set(report.identity)
        core.subscribed(to: report.identity, now: .now)
        publish()
        beat(.now)
        onSubscription?()
    }

    func subscriptionEnded(_ error: StoreError) {
        core.lost()
        publish()
        primary.link.set(nil)
        subscription.ended(error)
    }

    func heard(_ message: ChannelNames.Message, now: Instant) {
        switch message {
        case .rebind(let fingerprint, let binding):
            counters.rebinds &+= 1
            cache.hear(binding, of: fingerprint, now: now)
        case .echo(let sequence, let server, let era):
            guard core.echoed(sequence, from: server, era: era, now: now) != .ignored else { break }
            publish()
            proven(now)
        case .fleet(let payload):
            counters.fleetMessages &+= 1
            onFleetMessage?(payload, now)
        case .unexpected: counters.aliens &+= 1
        }
    }

    private func proven(_ now: Instant) {
        counters.echoes &+= 1
        subscription.proved()
        guard primary.status.shouldLogRecovery(to: .channel, now: now) else { return }
        logger.info("Rebind notifications are received.", metadata: ["store": "\(subscription.endpoint)"])
    }

    private func publish() {
        coherence.publish(core.standing, primary: primary.number)
    }
}

// MARK: - Heartbeats

extension RedisChannel: NIOScheduledCallbackHandler {
    private static let interval = CoherenceChannel.beatInterval

    private func beat(_ now: Instant) {
        guard subscription.serving != nil, store.mayBeat else { return }
        counters.heartbeats &+= 1
        store.beat(core.beat(now: now), names)
    }

    private func arm(_ due: Instant) {
        let wait = TimeAmount.nanoseconds(max(0, due.nanoseconds &- Instant.now.nanoseconds))
        guard let callback = try? eventLoop.assumeIsolated().scheduleCallback(in: wait, handler: self) else { return }
        timer = (callback, due)
    }

    package func handleScheduledCallback(eventLoop: some EventLoop) {
        guard let due = timer?.due else { return }
        timer = nil
        let now = Instant.now
        if let connection = subscription.serving, core.isSilent(now) {
            connection.end(.unproven)
        } else {
            beat(now)
        }
        // Beats that a busy loop has missed are not made up for.
        let next = due.advanced(byMilliseconds: Self.interval)
        arm(next > now ? next : now.advanced(byMilliseconds: Self.interval))
    }
}
