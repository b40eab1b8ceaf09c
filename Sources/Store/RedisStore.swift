package import Affinity
package import Logging
package import NIOCore
import NIOPosix

/// The store in a Redis, as one event loop sees it: one pipelined connection, made again when it is lost.
///
/// At most once: a question is never sent twice and never waits for a connection. All of it is confined to
/// `eventLoop`, from `start` to the end of `stop`.
package final class RedisStore: BindingStore {
    private enum Phase {
        case idle
        case waiting(Scheduled<Void>)
        case connecting(EventLoopFuture<any Channel>)
        case greeting(RedisConnection)
        case serving(RedisConnection, since: Instant)
        case stopped
    }

    /// A connection lost after this long, in milliseconds, was a good one: the next may be made at once.
    private static let goodAge: Int64 = 5000

    package let eventLoop: any EventLoop
    /// Read on the loop.
    package private(set) var counters = StoreCounters()
    private let settings: StoreSettings
    private let outlook: StoreOutlook
    private let logger: Logger
    private let commands: RedisCommands
    private var phase = Phase.idle
    private var breaker = StoreBreaker()
    private var delay = ReconnectDelay()
    private var channel: (any Channel)?
    private var postponed: [(RedisConnectionState.Asked, StoreFailure)] = []
    private var isTickScheduled = false

    /// - Parameter outlook: one for all loops of the replica that use this store.
    package init(eventLoop: any EventLoop, settings: StoreSettings, outlook: StoreOutlook, logger: Logger) {
        self.eventLoop = eventLoop
        self.settings = settings
        self.outlook = outlook
        self.logger = logger
        commands = RedisCommands(namespace: settings.namespace)
    }

    // MARK: Questions

    package var mayBeAsked: Bool {
        guard case .serving = phase else { return false }
        return !breaker.isOpen
    }

    /// Commands under way.
    package var depth: Int {
        guard case .serving(let connection, _) = phase else { return 0 }
        return connection.depth
    }

    package func ask(_ question: StoreQuestion, for waiter: any StoreWaiter) {
        let asking = Asking(at: .now, isOfChannel: false)
        counters.countAsked(question)
        let failure: StoreFailure
        if !question.isWritable {
            failure = .refused
        } else if case .serving(let connection, _) = phase, !breaker.isOpen {
            if connection.ask(question, for: waiter, asking) { return flushSoon() }
            failure = .full
        } else {
            failure = .away
        }
        let asked = RedisConnectionState.Asked(question: question, waiter: waiter, asking: asking)
        postponed.append((asked, failure))
        flushSoon()
    }

    /// Sends what was asked, and tells who could not ask, at the end of this turn of the loop.
    func flushSoon() {
        guard !isTickScheduled else { return }
        isTickScheduled = true
        eventLoop.assumeIsolated().execute { self.tick() }
    }

    private func tick() {
        isTickScheduled = false
        if case .serving(let connection, _) = phase { connection.flush() }
        guard !postponed.isEmpty else { return }
        let told = postponed
        postponed.removeAll()
        for (asked, failure) in told { tell(asked, .unavailable(failure), now: asked.asking.at) }
    }

    func tell(_ asked: RedisConnectionState.Asked, _ answer: StoreAnswer, now: Instant) {
        let microseconds = (now.nanoseconds &- asked.asking.at.nanoseconds) / 1000
        counters.countAnswered(answer, microseconds: microseconds)
        asked.waiter.storeAnswered(answer, to: asked.question, asked: asked.asking)
    }

    // MARK: Life

    /// Begins to connect.
    package func start() {
        guard case .idle = phase else { return }
        connect()
    }

    /// Tells everybody who waits, and closes the connection. The store cannot be started again.
    package func stop() -> EventLoopFuture<Void> {
        let ending = phase
        phase = .stopped
        tick()
        switch ending {
        case .idle, .stopped: break
        case .waiting(let attempt): attempt.cancel()
        case .connecting(let attempt):
            let loop = eventLoop
            return attempt.flatMap { $0.closeFuture }.flatMapError { _ in loop.makeSucceededVoidFuture() }
        case .greeting(let connection), .serving(let connection, _): connection.end(.closed)
        }
        return channel?.closeFuture ?? eventLoop.makeSucceededVoidFuture()
    }
}

// MARK: - What the connection says

extension RedisStore {
    func answered(_ asked: RedisConnectionState.Asked, _ answer: StoreAnswer, now: Instant) {
        breaker.answered()
        tell(asked, answer, now: now)
    }

    func missed(_ late: RedisConnectionState.Asked, now: Instant) {
        perform(breaker.missed(now: now))
        tell(late, .unavailable(.late), now: now)
    }

    func probeAnswered(isWell: Bool, now: Instant) {
        perform(breaker.probeAnswered(isWell: isWell, now: now))
    }

    /// A command was answered with an error.
    func refused(with code: RedisErrorCode, now: Instant) {
        guard code != .noScript, code != .wrongType else { return }
        counters.refusals &+= 1
        guard outlook.isNews(code, now: now) else { return }
        logger.warning(
            "The store refuses commands.", metadata: ["store": "\(settings.endpoint)", "error": "\(code)"])
    }

    /// The handshake is over.
    func connectionServes(now: Instant) {
        guard case .greeting(let connection) = phase else { return }
        phase = .serving(connection, since: now)
        counters.connections &+= 1
        outlook.connected()
        perform(breaker.connected(now: now))
    }

    /// The connection has ended; those who wait are told afterwards.
    func connectionEnded(_ trouble: StoreTrouble) {
        breaker.disconnected()
        if case .serving(_, let since) = phase, Instant.now.milliseconds(since: since) >= Self.goodAge {
            delay.reset()
        }
        if case .stopped = phase { return }
        attemptFailed(trouble)
    }

    private func perform(_ action: StoreBreaker.Action) {
        switch action {
        case .doNothing: break
        case .openAndProbe(let time):
            report(.late)
            probe(at: time)
        case .probe(let time): probe(at: time)
        case .close:
            guard outlook.isNewsThatInUse(now: .now) else { break }
            logger.info("The store is in use.", metadata: ["store": "\(settings.endpoint)"])
        }
    }

    private func probe(at time: Instant) {
        guard case .serving(let connection, _) = phase else { return }
        let wait = TimeAmount.nanoseconds(max(0, time.nanoseconds &- Instant.now.nanoseconds))
        eventLoop.assumeIsolated().scheduleTask(in: wait) {
            // Another connection probes for itself.
            guard case .serving(let current, _) = self.phase, current === connection else { return }
            connection.probe(now: .now)
            connection.flush()
        }
    }

    private func report(_ trouble: StoreTrouble) {
        guard outlook.isNews(trouble, now: .now) else { return }
        logger.warning(
            "The store is not used.",
            metadata: ["store": "\(settings.endpoint)", "reason": "\(trouble.description)"])
    }
}

// MARK: - Connecting

extension RedisStore {
    private func connect() {
        guard outlook.admitsAttempt(now: .now) else { return connectLater() }
        let attempt = open()
        phase = .connecting(attempt)
        attempt.assumeIsolated().whenComplete { self.attemptEnded($0) }
    }

    private func connectLater() {
        let wait = TimeAmount.milliseconds(delay.next(random: .random(in: 0...(.max))))
        phase = .waiting(eventLoop.assumeIsolated().scheduleTask(in: wait) { self.connect() })
    }

    private func attemptFailed(_ trouble: StoreTrouble) {
        counters.connectionFailures &+= 1
        outlook.failed()
        report(trouble)
        connectLater()
    }

    /// Resolving a name may take longer than the timeout, which bounds each connection: the resolver's own
    /// timeouts bound that.
    private func open() -> EventLoopFuture<any Channel> {
        let timeout = TimeAmount.nanoseconds(max(1, settings.connectTimeout.wholeNanoseconds))
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            // Nothing is read before there is somebody to read it.
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 4096, maximum: 1 << 16))
        switch settings.endpoint.address {
        case .host(let host, let port):
            return bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(host: host, port: port)
        case .unixSocket(let path): return bootstrap.connect(unixDomainSocketPath: path)
        }
    }

    private func attemptEnded(_ result: Result<any Channel, any Error>) {
        switch (result, phase) {
        case (.success(let channel), .connecting): adopt(channel)
        case (.success(let channel), _): channel.close(promise: nil)
        case (.failure(let error), .connecting): attemptFailed(StoreTrouble(connecting: error))
        case (.failure, _): break
        }
    }

    private func adopt(_ channel: any Channel) {
        guard let connection = RedisConnection(store: self, settings: settings, commands: commands) else {
            channel.close(promise: nil)
            return attemptFailed(.misbehaves("there is no memory for a connection"))
        }
        self.channel = channel
        phase = .greeting(connection)
        do {
            try channel.pipeline.syncOperations.addHandler(connection)
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            connection.end(StoreTrouble(connecting: error))
        }
    }
}
