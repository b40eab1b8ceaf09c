package import Affinity
package import Logging
package import NIOCore

/// One primary of the store, as one event loop sees it: one pipelined connection, made again when it is lost.
///
/// At most once: a question is never sent twice and never waits for a connection. All of it is confined to
/// `eventLoop`, from `start` to the end of `stop`.
package final class RedisStore: BindingStore {
    /// How the server of the connection compares with the one whose changes are heard.
    private enum Agreement {
        case nothingHeard, same, other
    }

    package let eventLoop: any EventLoop
    /// Read on the loop.
    package private(set) var counters = StoreCounters()
    let primary: RedisPrimary
    private let logger: Logger
    private let commands: RedisCommands
    private let connection: ReconnectingConnection<RedisConnection>
    private var breaker = StoreBreaker()
    private var watch: ChannelLink.Watch?
    private var compared: (version: UInt64, agreement: Agreement)?
    private var postponed: [(RedisConnectionState.Asked, StoreFailure)] = []
    private var isTickScheduled = false

    /// - Parameter primary: shared with the stores of the replica's other loops.
    package init(eventLoop: any EventLoop, primary: RedisPrimary, logger: Logger) {
        self.eventLoop = eventLoop
        self.primary = primary
        self.logger = logger
        connection = ReconnectingConnection(to: primary, on: eventLoop)
        commands = RedisCommands(namespace: primary.settings.namespace)
    }

    // MARK: Questions

    /// It is one server: available for all sessions or for none.
    package func isAvailable(for _: Fingerprint) -> Bool { isAvailable }

    /// Whether a question would be sent now.
    package var isAvailable: Bool {
        guard let connection = connection.serving, !breaker.isOpen, !connection.isLeaving else { return false }
        return agreement(of: connection) != .other
    }

    /// Commands under way.
    package var depth: Int { connection.serving?.depth ?? 0 }

    package func ask(_ question: StoreQuestion, for waiter: any StoreWaiter) {
        let now = Instant.now
        counters.countAsked(question)
        var asking = Asking(at: now, isOfChannel: false)
        let failure: StoreFailure
        if !question.isWritable {
            failure = .refused
        } else if isAvailable, let connection = connection.serving {
            // Compared after the time was taken: if the channel has come to hear another server since, the question
            // is of a generation before that.
            asking = Asking(at: now, isOfChannel: agreement(of: connection) == .same)
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
        connection.serving?.flush()
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
        guard watch == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        watch = primary.link.watch { event in
            guard case .serverChanged = event else { return }
            loop.execute { bound.value.leaveOtherServer() }
        }
        connection.start(
            .init(
                makeHandler: { RedisConnection(store: self, endpoint: $0, commands: self.commands) },
                failed: { self.attemptFailed($0) }))
    }

    /// Tells everybody who waits, and closes the connection. The store cannot be started again.
    package func stop() -> EventLoopFuture<Void> {
        if let watch { primary.link.end(watch) }
        let end = connection.stop()
        tick()
        return end
    }
}

// MARK: - The coherence channel

extension RedisStore {
    /// Whether a heartbeat would be sent now; a breaker that is open is no hindrance.
    var mayBeat: Bool {
        guard let connection = connection.serving else { return false }
        return connection.takesErrand && !connection.isLeaving
    }

    func beat(_ sequence: UInt64, _ names: ChannelNames) {
        connection.serving?.beat(sequence, names, now: .now)
    }

    /// False when it cannot be tried now.
    func publish(_ payload: [UInt8], on channel: String) -> Bool {
        guard mayBeat, connection.serving?.publish(payload, on: channel, now: .now) == true else { return false }
        flushSoon()
        return true
    }

    private func agreement(of connection: RedisConnection) -> Agreement {
        let version = primary.link.version
        if let compared, compared.version == version { return compared.agreement }
        let agreement: Agreement =
            switch primary.link.server {
            case .none: .nothingHeard
            case connection.report?.identity: .same
            case .some: .other
            }
        compared = (version, agreement)
        return agreement
    }

    private func leaveOtherServer() {
        guard let connection = connection.serving, agreement(of: connection) == .other else { return }
        connection.leave(.otherServer)
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
        guard primary.outlook.isNews(code, now: now) else { return }
        logger.warning(
            "The store refuses commands.", metadata: ["store": "\(connection.endpoint)", "error": "\(code)"])
    }

    /// A write was refused because the server has become a replica.
    func foundReplica() {
        connection.serving?.leave(.replica)
        primary.link.doubt(.replica)
    }

    /// The handshake is over.
    func connectionServes(_ greeted: RedisConnection, _ report: ServerReport, now: Instant) {
        let heard = primary.link.server
        if let heard, heard.runID != report.identity.runID { return greeted.end(.otherServer) }
        connection.greeted(now: now)
        compared = nil
        // The same server with another history: this connection is the one that knows.
        if let heard, heard != report.identity { primary.link.doubt(.otherHistory) }
        counters.connections &+= 1
        perform(breaker.connected(now: now))
    }

    /// The connection has ended; those who wait are told afterwards.
    func connectionEnded(_ trouble: StoreTrouble) {
        breaker.disconnected()
        connection.ended(trouble)
    }

    private func attemptFailed(_ trouble: StoreTrouble) {
        counters.connectionFailures &+= 1
        report(trouble)
    }

    private func perform(_ action: StoreBreaker.Action) {
        switch action {
        case .doNothing: break
        case .openAndProbe(let time):
            report(.late)
            probe(at: time)
        case .probe(let time): probe(at: time)
        case .close:
            guard primary.outlook.isNewsThatInUse(to: .store, now: .now) else { break }
            logger.info("The store is in use.", metadata: ["store": "\(connection.endpoint)"])
        }
    }

    private func probe(at time: Instant) {
        guard let connection = connection.serving else { return }
        let wait = TimeAmount.nanoseconds(max(0, time.nanoseconds &- Instant.now.nanoseconds))
        eventLoop.assumeIsolated().scheduleTask(in: wait) {
            // Another connection probes for itself.
            guard self.connection.serving === connection else { return }
            connection.probe(now: .now)
            connection.flush()
        }
    }

    private func report(_ trouble: StoreTrouble) {
        guard primary.outlook.isNews(trouble, to: .store, now: .now) else { return }
        logger.warning(
            "The store is not used.",
            metadata: ["store": "\(connection.endpoint)", "reason": "\(trouble.description)"])
    }
}
