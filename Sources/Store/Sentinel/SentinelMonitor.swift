package import Affinity
package import Logging
package import NIOCore

/// Asks the Sentinels which server is the primary, and leads all connections of the replica there: the shell around
/// ``SentinelTopology``. Confined to `eventLoop`, from `start` to the end of `stop`.
package final class SentinelMonitor {
    /// For people and metrics.
    package struct Status: Hashable, Sendable {
        /// The primary in use. Nil until one is known.
        package var primary: ServerAddress?
        package var basis: SentinelTopology.Basis
        package var configured: Int
        /// How many named a primary when they were last asked.
        package var heard: Int
        /// Whether a majority of those configured named the same one.
        package var isAgreed: Bool
        package var switches: UInt64
    }

    private let eventLoop: any EventLoop
    private let primary: RedisPrimary
    private let coherence: Coherence
    private let logger: Logger
    private let sentinels: [Sentinel]
    private var core: SentinelTopology
    private var timer: Scheduled<Void>?
    /// When to say that no primary was found.
    private var patience: Scheduled<Void>?
    private var isStopped = false
    private var switches: UInt64 = 0
    private var hasWarned = false
    /// What has been logged of Sentinels that contradict the majority.
    private var dissenting: [Int: ServerAddress] = [:]

    /// From the start. Connections to the Sentinels are made meanwhile, and the first rounds are over.
    private static let patienceMilliseconds: Int64 = 1000

    /// Nil if the primary's endpoint is configured.
    package init?(_ primary: RedisPrimary, on eventLoop: any EventLoop, coherence: Coherence, logger: Logger) {
        guard let settings = primary.settings.sentinel else { return nil }
        self.eventLoop = eventLoop
        self.primary = primary
        self.coherence = coherence
        self.logger = logger
        sentinels = settings.endpoints.map {
            Sentinel(
                $0, of: settings, settings: primary.settings, resolver: primary.target.resolver, on: eventLoop,
                logger: logger)
        }
        core = SentinelTopology(sentinels: sentinels.count)
    }

    package var status: Status {
        Status(
            primary: core.primary, basis: core.basis, configured: core.configured, heard: core.heard,
            isAgreed: core.isAgreed, switches: switches)
    }

    package func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        primary.named?.onFailure { loop.execute { bound.value.hinted(isCertain: false) } }
        for (number, sentinel) in sentinels.enumerated() {
            sentinel.start(
                .init(
                    answered: { self.answered($0, by: number, askedAt: $1) },
                    noticed: { self.hinted(isCertain: true) }))
        }
        tick()
        patience = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Self.patienceMilliseconds)) {
            self.noteNothingNamed()
        }
    }

    /// It cannot be started again.
    package func stop() -> EventLoopFuture<Void> {
        isStopped = true
        timer?.cancel()
        patience?.cancel()
        primary.named?.onFailure(nil)
        return .andAllComplete(sentinels.map { $0.stop() }, on: eventLoop)
    }

    // MARK: Events

    private var isInUse: Bool { coherence.isLive(primary: primary.number, now: .now) }

    private func tick() {
        guard !isStopped else { return }
        perform(core.tick(isInUse: isInUse, now: .now))
        arm()
    }

    private func hinted(isCertain: Bool) {
        guard !isStopped else { return }
        core.hinted(isCertain: isCertain, now: .now)
        arm()
    }

    private func answered(_ answer: SentinelTopology.Answer, by sentinel: Int, askedAt: Instant) {
        guard !isStopped else { return }
        perform(core.answered(answer, by: sentinel, askedAt: askedAt, isInUse: isInUse, now: .now))
        arm()
    }

    private func arm() {
        timer?.cancel()
        let wait = TimeAmount.nanoseconds(max(0, core.nextTick.nanoseconds &- Instant.now.nanoseconds))
        timer = eventLoop.assumeIsolated().scheduleTask(in: wait) { self.tick() }
    }

    private func perform(_ actions: [SentinelTopology.Action]) {
        for action in actions {
            switch action {
            case .ask(let time): for sentinel in sentinels { sentinel.ask(at: time) }
            case .use(let address): use(address)
            case .confirmed(let address, let askedAt):
                primary.servers.named(RedisEndpoint.Address(address), askedAt: askedAt)
            }
        }
        noteMajority()
        noteDissent()
    }

    private func use(_ address: ServerAddress) {
        switches &+= 1
        primary.move(to: address)
        switch core.basis {
        case .minority:
            logger.warning(
                "Too few Sentinels answer; the primary that they name is used until a majority names one.",
                metadata: ["primary": "\(address)", "needed": "\(core.majority) of \(core.configured)"])
        case .highestEpoch:
            logger.warning(
                "The Sentinels contradict each other; the primary of the highest epoch is used.",
                metadata: ["primary": "\(address)"])
        case .majority, .nothing:
            logger.info("The Sentinels name the primary.", metadata: ["primary": "\(address)"])
        }
    }

    /// No connection of the store is made until a Sentinel names a primary, so none can say why there is none.
    private func noteNothingNamed() {
        guard !isStopped, core.primary == nil, let name = primary.settings.sentinel?.primaryName,
            primary.status.shouldLog(.unnamed, to: .store, now: .now)
        else { return }
        logger.warning(
            "The store is unavailable.", metadata: ["store": "\(name)", "reason": "\(StoreError.unnamed.description)"])
    }

    private func noteDissent() {
        guard !core.isAsking else { return }
        let current = core.dissenting(now: .now)
        for (number, address) in current where dissenting[number] != address {
            logger.warning(
                "A Sentinel names another primary than the majority; it is outvoted.",
                metadata: ["sentinel": "\(sentinels[number].endpoint)", "named": "\(address)"])
        }
        dissenting = current
    }

    /// Said once, until a majority has agreed again.
    private func noteMajority() {
        guard !core.isAsking else { return }
        if core.isAgreed, hasWarned {
            hasWarned = false
            logger.info("A majority of the Sentinels agrees on the primary again.")
        } else if !core.isAgreed, core.primary != nil, core.basis == .majority, !hasWarned {
            hasWarned = true
            logger.warning(
                "No majority of the Sentinels agrees on the primary; it is kept.",
                metadata: ["answered": "\(core.heard)", "needed": "\(core.majority) of \(core.configured)"])
        }
    }
}

@available(*, unavailable)
extension SentinelMonitor: Sendable {}
