import Affinity
import NIOCore

/// One connection to a Redis: the shell around its handshake and its queue. Confined to the event loop of its channel.
///
/// Commands are buffered and leave in one write when the store flushes. One timer serves all deadlines.
final class RedisConnection: RedisHandler {
    private enum Phase {
        case opening
        case greeting(RedisHandshake, until: Instant)
        case serving
        case ended
    }

    /// A command without a reply for this long ends the connection, in nanoseconds; never before its budget is over.
    private static let replyTimeoutNanoseconds: Int64 = 500_000_000
    /// A process that was not running has not read what waits for it, so it reads once more before it gives up.
    private static let lastReadMilliseconds: Int64 = 5

    private struct PendingAnnouncement {
        let announced: AnnouncedSessions
        let then: (AnnounceReply) -> Void
    }

    /// A page of a scan may have a few hundred keys.
    private static let limits = RESPLimits(buffered: 256 * 1024, records: 2048)

    private let eventLoop: any EventLoop
    let endpoint: RedisEndpoint
    private let settings: StoreSettings
    private let commands: RedisCommands
    private let reader: RESPReader
    var owner: RedisStore?
    var context: ChannelHandlerContext?
    private var phase = Phase.opening
    /// Why the connection is to end as soon as no operation waits for it.
    private var closeReason: StoreError?
    private var channelNames: ChannelNames?
    /// The server's report about itself. Nil until the handshake is over.
    private(set) var report: ServerReport?
    /// The server that it leads to. Nil until the handshake is over.
    var server: WatchedServer?
    /// When it is given up if the server has not accepted the write by then that restores trust. Nil if none is needed.
    var proofDueAt: Instant?
    private var state: RedisConnectionState
    /// Receives the answer to the scan in flight.
    private var scanWaiter: ((ScanReply) -> Void)?
    /// What it receives if the connection ends.
    private var scanLoss = ScanReply.lost
    private var announcements: [UInt64: PendingAnnouncement] = [:]
    private var nextAnnouncement: UInt64 = 0
    private var outbound = ByteBuffer()
    private var timer: (callback: NIOScheduledCallback, due: Instant)?
    /// When to give up if a reply that is overdue is still missing.
    private var givesUpAt: Instant?

    /// Nil if memory allocation fails.
    init?(owner: RedisStore, endpoint: RedisEndpoint, commands: RedisCommands) {
        guard let reader = RESPReader(limits: Self.limits) else { return nil }
        self.owner = owner
        eventLoop = owner.eventLoop
        self.endpoint = endpoint
        settings = owner.primary.settings
        self.commands = commands
        self.reader = reader
        let budget = settings.commandTimeout.wholeNanoseconds
        state = RedisConnectionState(
            budgetNanoseconds: budget, replyTimeoutNanoseconds: max(budget, Self.replyTimeoutNanoseconds))
    }

    /// Commands whose replies are pending.
    var depth: Int { state.depth }

    var isServing: Bool { if case .serving = phase { true } else { false } }

    // MARK: Operations

    /// False if the queue is full. The commands leave with the next `flush`.
    func send(
        _ operation: StoreOperation, for waiter: any StoreWaiter, _ stamp: OperationStamp, now: Instant
    ) -> Bool {
        guard state.send(operation, for: waiter, stamp, now: now) else { return false }
        commands.send(operation, in: &outbound)
        arm(now: now)
        return true
    }

    func probe(now: Instant) {
        state.probe(now: now)
        commands.probe(in: &outbound)
        arm(now: now)
    }

    /// Asks for a page of the keys. False if a scan is in flight, or the queue is full. `then` is called exactly once,
    /// later.
    func scan(from cursor: UInt64, now: Instant, then: @escaping (ScanReply) -> Void) -> Bool {
        guard state.scan(now: now) else { return false }
        commands.scan(from: cursor, in: &outbound)
        arm(now: now)
        // A connection that cannot set its timer has ended.
        guard owner != nil else { return false }
        scanWaiter = then
        return true
    }

    private func scanned(_ reply: ScanReply) {
        guard let then = scanWaiter else { return }
        scanWaiter = nil
        then(reply)
    }

    func probeByWriting(now: Instant) {
        guard commands.probeByWriting(in: &outbound) else { return end(.misbehaves("out of memory for a probe")) }
        state.probeByWriting(now: now)
        arm(now: now)
    }

    /// Whether the connection is about to end and takes no new operations.
    var isLeaving: Bool { closeReason != nil }

    /// Ends the connection once all waiters have their results. Their budget bounds the delay.
    func leave(_ error: StoreError) {
        guard owner != nil, closeReason == nil else { return }
        closeReason = error
        endIfLeft()
    }

    private func endIfLeft() {
        if let closeReason, !state.isAwaited { end(closeReason) }
    }

    // MARK: The coherence channel

    var takesControlCommand: Bool { state.takesControlCommand }

    func beat(_ sequence: UInt64, _ names: ChannelNames, now: Instant) {
        guard state.beat(sequence, now: now) else { return }
        channelNames = names
        sendBeat(sequence, ["EVALSHA", RedisScript.heartbeat.sha1], now: now)
    }

    /// Each heartbeat offers a fresh era: offering the same one twice would hide that the first was lost.
    private func sendBeat(_ sequence: UInt64, _ start: [String], now: Instant) {
        guard let names = channelNames, let report else { return }
        let era = UInt64.random(in: 0...(.max)).hexadecimal
        let arguments = ["2", names.heartbeat, names.era, String(sequence), report.identity.runID.description, era]
        guard RedisCommands.format(start + arguments, in: &outbound) else {
            return end(.misbehaves("out of memory for a heartbeat"))
        }
        arm(now: now)
        owner?.flushSoon()
    }

    func publish(_ payload: [UInt8], on channel: String, now: Instant) -> Bool {
        guard state.publication(now: now) else { return false }
        commands.publish(payload, on: channel, in: &outbound)
        arm(now: now)
        return true
    }

    /// False if too many control commands are in flight. `then` is called exactly once, later.
    func announce(
        _ fingerprints: [Fingerprint], hasLeftOut: Bool, names: ChannelNames, now: Instant,
        then: @escaping (AnnounceReply) -> Void
    ) -> Bool {
        let number = nextAnnouncement
        guard state.announcement(number, now: now) else { return false }
        nextAnnouncement &+= 1
        let announced = AnnouncedSessions(sessions: fingerprints, hasLeftOut: hasLeftOut, names: names)
        sendAnnouncement(announced, by: ["EVALSHA", RedisScript.announce.sha1], now: now)
        // Without a timer the connection has ended.
        guard owner != nil else { return false }
        announcements[number] = PendingAnnouncement(announced: announced, then: then)
        return true
    }

    private func sendAnnouncement(_ announced: AnnouncedSessions, by script: [String], now: Instant) {
        commands.announce(announced, by: script, in: &outbound)
        arm(now: now)
        owner?.flushSoon()
    }

    private func evaluateAnnouncement(_ number: UInt64, now: Instant) {
        guard let pending = announcements[number] else { return }
        sendAnnouncement(pending.announced, by: ["EVAL", RedisScript.announce.source], now: now)
    }

    func flush() {
        guard outbound.readableBytes > 0, let context else { return }
        context.writeAndFlush(NIOAny(outbound), promise: nil)
        // Keeps the storage if the write has finished with it, unless a burst has made it large.
        if outbound.capacity > 1 << 16 { outbound = ByteBuffer() } else { outbound.clear() }
    }

    /// All waiters receive `.unavailable(.lost)`.
    func ended(_ error: StoreError, of owner: RedisStore) {
        phase = .ended
        timer?.callback.cancel()
        timer = nil
        owner.connectionEnded(error)
        while let lost = state.nextLost() { owner.deliver(lost, .unavailable(.lost), now: .now) }
        scanned(scanLoss)
        let lost = announcements.sorted { $0.key < $1.key }
        announcements = [:]
        for (_, pending) in lost { pending.then(.lost) }
    }

    // MARK: Channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            if let error = troubleWithFirst(bytes) { return end(error) }
            let fault = reader.feed(bytes)
            let now = Instant.now
            server?.heard(now)
            reader.drain { reply in
                receive(reply, now: now)
                return owner != nil
            }
            guard let fault else { return }
            if fault == .tooLarge, state.nextAnswersScan { scanLoss = .tooLarge }
            end(error(of: fault))
        }
    }

    // MARK: Replies

    func greet() {
        guard case .opening = phase else { return }
        let handshake = RedisHandshake(endpoint: endpoint)
        let now = Instant.now
        let until = Instant(nanoseconds: now.nanoseconds &+ settings.connectTimeout.wholeNanoseconds)
        phase = .greeting(handshake, until: until)
        for command in handshake.commands where !RedisCommands.format(command, in: &outbound) {
            return end(.misbehaves("out of memory for its first commands"))
        }
        flush()
        arm(now: now)
    }

    /// The error that is evident before the bytes are parsed.
    private func troubleWithFirst(_ bytes: UnsafeRawBufferPointer) -> StoreError? {
        switch phase {
        case .opening, .ended: nil
        case .greeting: bytes.first == StoreError.alertOfTLS ? .speaksTLS : nil
        case .serving: state.depth == 0 ? .surplusReply : nil
        }
    }

    private func receive(_ reply: RESPValue, now: Instant) {
        switch phase {
        case .opening, .ended: break
        case .greeting(var handshake, let until):
            let action = handshake.received(reply)
            phase = .greeting(handshake, until: until)
            switch action {
            case .wait: break
            case .fail(let error): end(error)
            case .done(let report):
                phase = .serving
                self.report = report
                owner?.connectionServes(self, report, now: now)
            }
        case .serving:
            let isScan = state.nextAnswersScan
            if case .error(let text) = reply {
                owner?.refused(with: RedisErrorCode(text), lacking: MissingRight(text), isScan: isScan, now: now)
            }
            let reply = isScan ? RedisReply(toScan: reply, keyPrefix: commands.keyPrefix) : RedisReply(reply)
            perform(state.received(reply, now: now), now: now)
            if reply == .readOnly { owner?.foundReplica() }
            endIfLeft()
        }
    }

    private func perform(_ action: RedisConnectionState.Action, now: Instant) {
        switch action {
        case .wait: break
        case .result(let pending, let result): owner?.answered(pending, result, now: now)
        case .send(let followUp, let operation): send(followUp, operation, now: now)
        case .sendBeat(let sequence): sendBeat(sequence, ["EVAL", RedisScript.heartbeat.source], now: now)
        case .sendAnnouncement(let number): evaluateAnnouncement(number, now: now)
        case .announced(let number, let reply): announcements.removeValue(forKey: number)?.then(reply)
        case .probed(let isWell): owner?.probeAnswered(isWell: isWell, now: now)
        case .scanned(let reply): scanned(reply)
        case .probedByWriting(let isWell, let sentAt):
            owner?.writingProbeAnswered(isWell: isWell, sentAt: sentAt, now: now)
        case .close(.surplusReply): end(.surplusReply)
        case .close(.mistypedReply): end(.misbehaves("the server sent a reply that does not fit its command"))
        }
    }

    private func send(_ followUp: RedisConnectionState.FollowUp, _ operation: StoreOperation, now: Instant) {
        switch followUp {
        case .evaluation:
            guard commands.evaluate(operation, in: &outbound) else {
                return end(.misbehaves("out of memory for a script"))
            }
        case .read: commands.read(operation.fingerprint, in: &outbound)
        case .touch: commands.touch(operation.fingerprint, operation.lifetimeMilliseconds, in: &outbound)
        }
        arm(now: now)
        owner?.flushSoon()
    }

    private func error(of fault: RESPFault) -> StoreError {
        if case .greeting = phase { return .notRedis }
        switch fault {
        case .malformed: return .misbehaves("the server sent malformed bytes")
        case .tooLarge: return .misbehaves("the server sent a reply that is too large")
        case .noMemory: return .misbehaves("out of memory for its reply")
        }
    }
}

extension RedisConnection: NIOScheduledCallbackHandler {
    /// Makes sure that the timer runs. A timer that fires early is set again, which avoids cancelling it with every
    /// reply.
    private func arm(now: Instant) {
        guard let deadline else { return }
        if let timer {
            guard deadline < timer.due else { return }
            timer.callback.cancel()
        }
        let wait = TimeAmount.nanoseconds(max(0, deadline.nanoseconds &- now.nanoseconds))
        guard let callback = try? eventLoop.assumeIsolated().scheduleCallback(in: wait, handler: self) else {
            return end(.closed)
        }
        timer = (callback, deadline)
    }

    private var deadline: Instant? {
        switch phase {
        case .opening, .ended: nil
        case .greeting(_, let until): until
        case .serving: givesUpAt ?? silenceBegins.map { min($0, state.nextDeadline ?? $0) } ?? state.nextDeadline
        }
    }

    private var silenceBegins: Instant? {
        guard let server, let owedSince = state.owedSince else { return nil }
        return server.silenceBegins(owedSince: owedSince)
    }

    /// Whether the connection was ended because its server owes a reply: all of its connections are, if none has heard
    /// it for a lease.
    private func endsInSilence(now: Instant) -> Bool {
        guard let owner, let server, let owedSince = state.owedSince,
            state.isDead(now: now) || now >= server.silenceBegins(owedSince: owedSince)
        else {
            givesUpAt = nil
            return false
        }
        guard let givesUpAt, now >= givesUpAt else {
            givesUpAt = givesUpAt ?? now.advanced(byMilliseconds: Self.lastReadMilliseconds)
            return false
        }
        self.givesUpAt = nil
        // Another loop may have found the silence.
        if owner.primary.servers.check(server, owedSince: owedSince, now: now) || server.isSilent {
            end(.serverSilent)
        } else if state.isDead(now: now) {
            server.gaveUp(owedSince: owedSince, now: now)
            end(.silent)
        } else {
            return false
        }
        return true
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        timer = nil
        let now = Instant.now
        switch phase {
        case .opening, .ended: return
        case .greeting(_, let until):
            if now >= until { return end(.silent) }
        case .serving:
            while let late = state.nextLate(now: now) { owner?.missed(late, now: now) }
            if endsInSilence(now: now) { return }
            endIfLeft()
        }
        arm(now: now)
    }
}
