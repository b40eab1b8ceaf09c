package import Affinity
package import Logging
package import NIOCore

/// One primary of the store, as one event loop sees it: one pipelined connection, reestablished when it is lost.
///
/// At most once: an operation is never sent twice and never waits for a connection. Confined to `eventLoop`, from
/// `start` to the end of `stop`. Other loops may forward their operations to it (``ForwardingStore``).
package final class RedisStore: BindingStore {
    /// How the connection's server compares with the server that the coherence channel hears.
    private enum Agreement {
        case nothingHeard, same, other
    }

    package let eventLoop: any EventLoop
    /// Read on the loop.
    package private(set) var counters = StoreCounters()
    package let primary: RedisPrimary
    /// What other loops know of `isAvailable`.
    let availability = StoreAvailability()
    private let logger: Logger
    private let commands: RedisCommands
    private let connection: ReconnectingConnection<RedisConnection>
    private var breaker = StoreBreaker()
    private var watch: ChannelServer.Subscription?
    private var compared: (version: UInt64, agreement: Agreement)?
    private var postponed: [(RedisConnectionState.PendingOperation, StoreFailure)] = []
    private var isTickScheduled = false
    private var publishedAvailability = false

    /// - Parameter primary: shared with the stores of the replica's other loops.
    package init(eventLoop: any EventLoop, primary: RedisPrimary, logger: Logger) {
        self.eventLoop = eventLoop
        self.primary = primary
        self.logger = logger
        connection = ReconnectingConnection(to: primary.target, on: eventLoop)
        commands = RedisCommands(namespace: primary.settings.namespace)
    }

    // MARK: Operations

    /// A single server is available for all sessions or for none.
    package func isAvailable(for _: Fingerprint) -> Bool { isAvailable && breaker.admits(now: .now) }

    /// Whether the store is in use: an operation that no request waits for would be sent now.
    package var isAvailable: Bool {
        guard let connection = connection.serving, !breaker.isOpen, !connection.isLeaving,
            connection.server?.isTrusted == true
        else { return false }
        return agreement(of: connection) != .other
    }

    /// Commands in flight.
    package var depth: Int { connection.serving?.depth ?? 0 }

    package func send(_ operation: StoreOperation, for waiter: any StoreWaiter) {
        let now = Instant.now
        if waiter.isCounted { counters.countSent(operation) }
        guard let failure = send(operation, for: waiter, askedAt: now, now: now) else { return }
        let stamp = OperationStamp(sentAt: now, isFromChannelServer: false)
        let pending = RedisConnectionState.PendingOperation(operation: operation, waiter: waiter, stamp: stamp)
        postponed.append((pending, failure))
        flushSoon()
    }

    /// Sends an operation, if it can be sent now. Otherwise returns why not; the waiter then receives nothing.
    ///
    /// - Parameter askedAt: when the request asked: the budget and the result's lifetime count from here.
    func send(
        _ operation: StoreOperation, for waiter: any StoreWaiter, askedAt: Instant, now: Instant
    ) -> StoreFailure? {
        guard operation.isWritable else { return .refused }
        guard isAvailable, waiter.isBackground || breaker.admits(now: now), let connection = connection.serving else {
            return .away
        }
        // Compared after the time was taken: if the channel has since switched to another server, the operation
        // belongs to an earlier generation.
        let stamp = OperationStamp(sentAt: askedAt, isFromChannelServer: agreement(of: connection) == .same)
        guard connection.send(operation, for: waiter, stamp, now: now) else { return .full }
        breaker.sent(isBackground: waiter.isBackground)
        flushSoon()
        return nil
    }

    /// Asks for a page of the store's keys. A cursor is valid only on the server that returned it; a scan begins at 0.
    /// It is not an operation: it is not counted, and its failure is not the breaker's.
    ///
    /// False if it cannot be sent now: the store is not available, a scan is in flight, or the queue is full. Otherwise
    /// `then` is called exactly once, on the loop, and never from within this call.
    package func scan(from cursor: UInt64, then: @escaping (ScanReply) -> Void) -> Bool {
        guard isAvailable, connection.serving?.scan(from: cursor, now: .now, then: then) == true else { return false }
        flushSoon()
        return true
    }

    /// At the end of this turn of the loop, sends the buffered commands and reports the operations that could not be
    /// sent.
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
        for (pending, failure) in told { deliver(pending, .unavailable(failure), now: pending.stamp.sentAt) }
    }

    func deliver(_ pending: RedisConnectionState.PendingOperation, _ result: StoreResult, now: Instant) {
        if pending.waiter.isCounted {
            let microseconds = (now.nanoseconds &- pending.stamp.sentAt.nanoseconds) / 1000
            counters.countAnswered(result, microseconds: microseconds)
        }
        pending.waiter.storeAnswered(result, to: pending.operation, stamp: pending.stamp)
    }

    // MARK: Life

    /// Begins to connect.
    package func start() {
        guard watch == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        watch = primary.link.watch { event in
            switch event {
            case .serverChanged: loop.execute { bound.value.leaveOtherServer() }
            case .fellSilent(let server): loop.execute { bound.value.leaveSilentServer(server) }
            case .endpointChanged: loop.execute { bound.value.connection.endpointChanged() }
            case .doubted: break
            }
        }
        connection.start(
            .init(
                makeHandler: { RedisConnection(owner: self, endpoint: $0, commands: self.commands) },
                failed: { self.attemptFailed($0) }))
    }

    /// Reports a result to all waiters and closes the connection. The store cannot be started again.
    package func stop() -> EventLoopFuture<Void> {
        if let watch { primary.link.end(watch) }
        let end = connection.stop()
        tick()
        return end
    }
}

// MARK: - The coherence channel

extension RedisStore {
    /// Whether a heartbeat would be sent now. An open breaker does not prevent it; a server that must settle does.
    var mayBeat: Bool {
        guard let connection = connection.serving, connection.server?.isTrusted == true else { return false }
        return connection.takesControlCommand && !connection.isLeaving
    }

    /// Whether there is a connection over which heartbeats are sent.
    var carriesBeats: Bool { connection.serving?.server?.isTrusted == true }

    func beat(_ sequence: UInt64, _ names: ChannelNames) {
        connection.serving?.beat(sequence, names, now: .now)
    }

    /// False if it cannot be sent now.
    func publish(_ payload: [UInt8], on channel: String) -> Bool {
        guard mayBeat, connection.serving?.publish(payload, on: channel, now: .now) == true else { return false }
        flushSoon()
        return true
    }

    /// Publishes these sessions' records, as they are when the server runs the command. Absent ones are left away.
    ///
    /// False if it cannot be sent now: the store is not connected, too many control commands are in flight, or there
    /// are more sessions than one message takes. Otherwise `then` is called exactly once, on the loop, and never from
    /// within this call.
    func announce(
        _ fingerprints: [Fingerprint], hasLeftOut: Bool, names: ChannelNames, then: @escaping (AnnounceReply) -> Void
    ) -> Bool {
        guard fingerprints.count <= Announcement.recordsMax, mayBeat, let connection = connection.serving else {
            return false
        }
        return connection.announce(fingerprints, hasLeftOut: hasLeftOut, names: names, now: .now, then: then)
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
        defer { publishAvailability() }
        guard let connection = connection.serving, agreement(of: connection) == .other else { return }
        connection.leave(.otherServer)
    }

    /// Ends the connection although operations may wait: the server could answer them without knowing that it was
    /// replaced.
    ///
    /// Another loop may have connected again by now, so that the server settles. One that this loop has made
    /// since would be made once more.
    private func leaveSilentServer(_ runID: ServerIdentity.RunID) {
        guard let connection = connection.serving, let server = connection.server, server.runID == runID else { return }
        guard !server.isTrusted else { return publishAvailability() }
        connection.end(.serverSilent)
    }
}

// MARK: - Events of the connection

extension RedisStore {
    func answered(_ pending: RedisConnectionState.PendingOperation, _ result: StoreResult, now: Instant) {
        breaker.answered(isBackground: pending.waiter.isBackground, now: now)
        deliver(pending, result, now: now)
    }

    func missed(_ late: RedisConnectionState.PendingOperation, now: Instant) {
        if !late.waiter.isBackground { perform(breaker.missed(now: now)) }
        deliver(late, .unavailable(.late), now: now)
    }

    func probeAnswered(isWell: Bool, now: Instant) {
        perform(breaker.probeAnswered(isWell: isWell, now: now))
    }

    /// The server has been silent, and was asked for a write. Only its success restores trust, on all loops. If it does
    /// not succeed for two leases, the connection is ended: another server may have taken the place, and its address is
    /// looked up only when a connection is made.
    func writingProbeAnswered(isWell: Bool, sentAt: Instant, now: Instant) {
        guard let connection = connection.serving, let server = connection.server else { return }
        if isWell {
            server.accepted(writeSentAt: sentAt)
            if server.lacksMajority(now: now) { report(.unconfirmed) }
        } else if !server.isTrusted, let due = connection.proofDueAt, now >= due {
            return connection.end(.noProof)
        }
        probeAnswered(isWell: isWell && server.isTrusted, now: now)
    }

    /// A command was answered with an error.
    ///
    /// - Parameters:
    ///   - right: what the user lacks, if that is the cause.
    ///   - isScan: it was the answer to a scan, and the caller says so.
    func refused(with code: RedisErrorCode, lacking right: MissingRight?, isScan: Bool, now: Instant) {
        guard code != .noScript, code != .wrongType else { return }
        if !isScan { counters.refusals &+= 1 }
        if let right {
            guard primary.status.shouldLog(right, now: now) else { return }
            logger.warning(
                "The user of the store lacks a right.",
                metadata: ["store": "\(connection.endpoint)", "right": "\(right)"])
            return
        }
        guard !isScan, primary.status.shouldLog(code, now: now) else { return }
        var metadata: Logger.Metadata = ["store": "\(connection.endpoint)", "error": "\(code)"]
        if code == .noReplicas {
            metadata["reason"] = "\(connection.serving?.report?.lackOfReplicas ?? ServerReport.lackOfReplicas)"
        }
        logger.warning("The store rejects commands.", metadata: metadata)
    }

    /// A write was refused because the server has become a replica.
    func foundReplica() {
        connection.serving?.leave(.replica)
        publishAvailability()
        primary.link.doubt(.replica)
    }

    /// The handshake is over.
    func connectionServes(_ greeted: RedisConnection, _ report: ServerReport, now: Instant) {
        let received = primary.link.server
        if let received, received.runID != report.identity.runID { return greeted.end(.otherServer) }
        let server = primary.servers.connected(
            to: report.identity.runID, at: connection.endpoint.address, now: now)
        primary.status.hasReplicas(report.connectedReplicas)
        greeted.server = server
        greeted.proofDueAt = server.settlesAt.map {
            max(now, $0).advanced(byMilliseconds: 2 * primary.settings.lease.wholeMilliseconds)
        }
        connection.greeted(now: now)
        compared = nil
        // The same server with another history: this connection has the newer knowledge.
        if let received, received != report.identity { primary.link.doubt(.otherHistory) }
        counters.connections &+= 1
        perform(breaker.connected(probeAt: max(now, server.settlesAt ?? now)))
    }

    /// The connection has ended. Its waiters are notified afterwards.
    func connectionEnded(_ error: StoreError) {
        breaker.disconnected()
        connection.ended(error)
        publishAvailability()
    }

    /// Called when anything has changed that `isAvailable` depends on. A server loses trust only by falling silent: the
    /// loop then ends the connection, or calls this if it learns of it only when the server is trusted again.
    private func publishAvailability() {
        let isAvailable = isAvailable
        guard isAvailable != publishedAvailability else { return }
        publishedAvailability = isAvailable
        availability.set(isAvailable)
    }

    private func attemptFailed(_ error: StoreError) {
        counters.connectionFailures &+= 1
        breaker.disconnected()
        report(error)
    }

    private func perform(_ action: StoreBreaker.Action) {
        publishAvailability()
        switch action {
        case .doNothing: break
        case .openAndProbe(let time):
            report(.late)
            probe(at: time)
        case .probe(let time): probe(at: time)
        case .close:
            guard primary.status.shouldLogRecovery(to: .store, now: .now) else { break }
            logger.info("The store is available.", metadata: ["store": "\(connection.endpoint)"])
        }
    }

    private func probe(at time: Instant) {
        guard let connection = connection.serving else { return }
        let wait = TimeAmount.nanoseconds(max(0, time.nanoseconds &- Instant.now.nanoseconds))
        eventLoop.assumeIsolated().scheduleTask(in: wait) {
            // A newer connection sends its own probe.
            guard self.connection.serving === connection else { return }
            if connection.server?.isTrusted == true {
                connection.probe(now: .now)
            } else {
                connection.probeByWriting(now: .now)
            }
            connection.flush()
        }
    }

    private func report(_ error: StoreError) {
        guard primary.status.shouldLog(error, to: .store, now: .now) else { return }
        logger.warning(
            "The store is unavailable.",
            metadata: ["store": "\(connection.endpoint)", "reason": "\(error.description)"])
    }
}
