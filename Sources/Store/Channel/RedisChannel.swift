package import Affinity
package import Logging
package import NIOCore

/// The coherence channel to one primary: the shell around `CoherenceChannel`, with its subscription and its heartbeats.
/// Confined to the event loop of the store that sends the heartbeats, from `start` to the end of `stop`.
///
/// Publishes its state to `Coherence`, passes moves to the cache, and records on the primary's link which server it
/// hears.
package final class RedisChannel {
    package let eventLoop: any EventLoop
    /// Read on the loop.
    package private(set) var counters = ChannelCounters()
    /// The server's report about itself. Nil before the first subscription. Its replicas are the most that the primary
    /// has had since the start.
    package var report: ServerReport? { reported?.having(atLeast: primary.status.mostReplicas) }
    /// As it was when the last subscription was made.
    private var reported: ServerReport?
    /// Called on the loop with every fleet message, including this replica's own: at most 16 KiB, valid only during the
    /// call.
    package var onFleetMessage: ((UnsafeRawBufferPointer, Instant) -> Void)?
    /// Whether announcements are heard: false while the channel is down, and if Redis does not permit it.
    package private(set) var hearsAnnouncements = false
    /// Called on the loop with every announcement, including this replica's own, and when it was received.
    package var onAnnouncement: ((Announcement, Instant) -> Void)?
    /// Called on the loop before the status of the channel takes effect: with each subscription, loss and echo.
    package var onStatus: ((Coherence.Status, Instant) -> Void)?
    /// Called on the loop each time the subscription is established.
    package var onSubscription: (() -> Void)?
    private let store: RedisStore
    private let primary: RedisPrimary
    private let coherence: Coherence
    private let cache: BindingCache
    private let names: ChannelNames
    private let logger: Logger
    private let subscription: ReconnectingConnection<SubscriberConnection>
    private var core: CoherenceChannel
    /// The server of the last subscription.
    private var server: WatchedServer?
    private var watch: ChannelServer.Subscription?
    /// Whether the last subscription was refused the announcements.
    private var isRefusedAnnouncements = false
    private var timer: (callback: NIOScheduledCallback, due: Instant)?
    /// Whether heartbeats had a connection at the last tick: how long none has come back counts from then.
    private var carriedBeats = false

    /// - Parameters:
    ///   - store: the store of the primary to hear, on the loop on which the channel lives. Heartbeats use its
    ///     connection.
    ///   - instance: the process's identifier.
    ///   - coherence: the replica's, which covers all of its primaries.
    ///   - cache: the replica's.
    package init(
        store: RedisStore, instance: InstanceID, coherence: Coherence, cache: BindingCache,
        logger: Logger
    ) {
        self.store = store
        eventLoop = store.eventLoop
        primary = store.primary
        self.coherence = coherence
        self.cache = cache
        self.logger = logger
        names = ChannelNames(namespace: store.primary.settings.namespace, instance: instance)
        subscription = ReconnectingConnection(to: store.primary.target, on: store.eventLoop)
        core = CoherenceChannel(leaseMilliseconds: store.primary.settings.lease.wholeMilliseconds)
    }

    package var state: CoherenceChannel.State { core.state }

    /// When the last heartbeat that has come back in this generation was sent.
    package var echoedBeatSentAt: Instant? { core.echoedBeatSentAt }

    /// Whether every message of the primary has been heard until now.
    package func isLive(_ now: Instant) -> Bool { core.isLive(now) }

    /// Generations begun so far.
    package var generations: UInt64 { core.generations }

    /// Publishes a message to the fleet. False if it cannot be sent now: the store is not connected, too many control
    /// commands are in flight, or the message exceeds 16 KiB.
    package func publishFleet(_ payload: [UInt8]) -> Bool {
        guard payload.count <= ChannelNames.fleetMax else { return false }
        return store.publish(payload, on: names.fleet)
    }

    /// Publishes these sessions' records to the fleet, as they are when Redis runs the command. Absent ones are left
    /// away.
    ///
    /// False if it cannot be sent now: the store is not connected, too many control commands are in flight, or there
    /// are more than ``Announcement/recordsMax`` sessions. Otherwise `then` is called exactly once, on the loop, and
    /// never from within this call.
    package func announce(
        _ fingerprints: [Fingerprint], hasLeftOut: Bool, then: @escaping (AnnounceReply) -> Void
    ) -> Bool {
        store.announce(fingerprints, hasLeftOut: hasLeftOut, names: names, then: then)
    }

    // MARK: Life

    package func start() {
        guard watch == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        watch = primary.link.watch { event in
            switch event {
            case .doubted(let error): loop.execute { bound.value.doubted(error) }
            case .fellSilent(let server): loop.execute { bound.value.leaveSilentServer(server) }
            case .endpointChanged: loop.execute { bound.value.subscription.endpointChanged() }
            case .serverChanged: break
            }
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
        // The store says why it has no connection.
        guard error != .unprovable else { return }
        if primary.status.shouldLog(error, to: .channel, now: .now) {
            logger.warning(
                "Rebind notifications are not received; cached bindings are not trusted until they are.",
                metadata: ["store": "\(subscription.endpoint)", "reason": "\(error.description)"])
        }
    }

    /// A data connection found that the server has another role or history than the subscription assumes.
    private func doubted(_ error: StoreError) {
        subscription.serving?.end(error)
    }

    private func leaveSilentServer(_ runID: ServerIdentity.RunID) {
        // Another loop may have connected again by now, so that the server settles.
        guard let server, server.runID == runID, !server.isTrusted else { return }
        subscription.serving?.end(.serverSilent)
    }
}

// MARK: - Events of the subscription

extension RedisChannel {
    func subscribed(to report: ServerReport, hearsAnnouncements: Bool) {
        let now = Instant.now
        server = primary.servers.connected(
            to: report.identity.runID, at: subscription.endpoint.address, now: now)
        subscription.greeted(now: now)
        counters.connections &+= 1
        reported = report
        primary.status.hasReplicas(report.connectedReplicas)
        self.hearsAnnouncements = hearsAnnouncements
        // Set before the generation begins, so that operations sent in it know which server is heard.
        primary.link.set(report.identity)
        core.subscribed(to: report.identity, now: now)
        publish()
        beat(now)
        noteAnnouncements(areRefused: !hearsAnnouncements)
        onSubscription?()
    }

    /// Logs a refusal once, until the announcements are permitted.
    private func noteAnnouncements(areRefused: Bool) {
        let isNew = areRefused && !isRefusedAnnouncements
        isRefusedAnnouncements = areRefused
        guard isNew else { return }
        logger.warning(
            "Standby is off: Redis does not permit the subscription to announcements.",
            metadata: ["store": "\(subscription.endpoint)"])
    }

    func subscriptionEnded(_ error: StoreError) {
        hearsAnnouncements = false
        core.lost()
        publish()
        primary.link.set(nil)
        subscription.ended(error)
    }

    func received(_ message: ChannelNames.Message, now: Instant) {
        server?.heard(now)
        switch message {
        case .rebind(let fingerprint, let binding):
            counters.rebinds &+= 1
            cache.receive(binding, of: fingerprint, now: now)
        case .echo(let sequence, let server, let era):
            // A server that must settle may send back what waited in its sockets.
            guard self.server?.isTrusted == true,
                core.echoed(sequence, from: server, era: era, now: now) != .ignored
            else { break }
            publish()
            proven(now)
        case .fleet(let payload):
            counters.fleetMessages &+= 1
            onFleetMessage?(payload, now)
        case .announcement(let announcement):
            counters.announcements &+= 1
            onAnnouncement?(announcement, now)
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
        let status = core.status
        onStatus?(status, .now)
        coherence.publish(status, primary: primary.number)
    }
}

// MARK: - Heartbeats

extension RedisChannel: NIOScheduledCallbackHandler {
    private static let interval = CoherenceChannel.beatIntervalMilliseconds

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
        primary.servers.check(now: now)
        let carriesBeats = store.carriesBeats
        // Without this, a server that refuses to prove itself would be heard for ever, and no other looked for.
        if server?.isUndecided(now: now) == true || (carriesBeats && !carriedBeats) { core.withheldBeat(now: now) }
        carriedBeats = carriesBeats
        if let connection = subscription.serving, core.isSilent(now) {
            connection.end(carriesBeats ? .unproven : .unprovable)
        } else {
            beat(now)
        }
        // Heartbeats that a busy loop missed are not sent later.
        let next = due.advanced(byMilliseconds: Self.interval)
        arm(next > now ? next : now.advanced(byMilliseconds: Self.interval))
    }
}
