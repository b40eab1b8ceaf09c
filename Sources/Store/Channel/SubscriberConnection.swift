import Affinity
import NIOCore

/// The connection over which a coherence channel hears: handshake, subscription, then only messages. Confined to the
/// event loop of its channel.
///
/// Anything other than a message of a subscribed channel ends the connection: what follows might be incomplete.
final class SubscriberConnection: RedisHandler {
    private enum Phase {
        case opening
        case greeting(RedisHandshake)
        case subscribing(ServerReport, acknowledged: Int)
        case hearing(hasAnnouncements: Bool)
        case ended
    }

    /// A message has four values, and INFO is shorter than the limit for a bulk string.
    private static let limits = RESPLimits(records: 4, nesting: 1)

    let endpoint: RedisEndpoint
    private let settings: StoreSettings
    private let names: ChannelNames
    private let reader: RESPReader
    var owner: RedisChannel?
    var context: ChannelHandlerContext?
    private var phase = Phase.opening
    private var deadline: Scheduled<Void>?

    /// Nil if memory allocation fails.
    init?(owner: RedisChannel, endpoint: RedisEndpoint, settings: StoreSettings, names: ChannelNames) {
        guard let reader = RESPReader(limits: Self.limits) else { return nil }
        self.owner = owner
        self.endpoint = endpoint
        self.settings = settings
        self.names = names
        self.reader = reader
    }

    var isServing: Bool { if case .hearing = phase { true } else { false } }

    func ended(_ error: StoreError, of owner: RedisChannel) {
        phase = .ended
        deadline?.cancel()
        deadline = nil
        owner.subscriptionEnded(error)
    }

    // MARK: Channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Taken before parsing: the result of any operation sent later already reflects what these bytes announce.
        let now = Instant.now
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            if case .greeting = phase, bytes.first == StoreError.alertOfTLS { return end(.speaksTLS) }
            let fault = reader.feed(bytes)
            reader.drain { reply in
                receive(reply, now: now)
                return owner != nil
            }
            if let fault { end(error(of: fault)) }
        }
    }

    // MARK: Replies

    func greet() {
        guard case .opening = phase, let context else { return }
        let handshake = RedisHandshake(endpoint: endpoint)
        phase = .greeting(handshake)
        send(handshake.commands, context)
        let wait = TimeAmount.nanoseconds(max(1, settings.connectTimeout.wholeNanoseconds))
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: wait) { self.end(.silent) }
    }

    private func send(_ commands: [[String]], _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: 256)
        for command in commands where !RedisCommands.format(command, in: &buffer) {
            return end(.misbehaves("out of memory for its first commands"))
        }
        context.writeAndFlush(NIOAny(buffer), promise: nil)
    }

    private func receive(_ reply: RESPValue, now: Instant) {
        switch phase {
        case .opening, .ended: break
        case .greeting(var handshake):
            let action = handshake.received(reply)
            phase = .greeting(handshake)
            switch action {
            case .wait: break
            case .fail(let error): end(error)
            case .done(let report):
                phase = .subscribing(report, acknowledged: 0)
                if let context { send([["SUBSCRIBE"] + names.required, ["SUBSCRIBE", names.made]], context) }
            }
        case .subscribing(let report, let acknowledged) where acknowledged < names.required.count:
            acknowledgeRequired(reply, report, acknowledged)
        case .subscribing(let report, _):
            // The other channels are heard already.
            if let message = names.message(reply, hasAnnouncements: false) {
                owner?.received(message, now: now)
            } else {
                acknowledgeAnnouncements(reply, report)
            }
        case .hearing(let hasAnnouncements):
            guard let message = names.message(reply, hasAnnouncements: hasAnnouncements) else {
                return end(.misbehaves("the server sent a subscriber something other than a message"))
            }
            owner?.received(message, now: now)
        }
    }

    private func acknowledgeRequired(_ reply: RESPValue, _ report: ServerReport, _ number: Int) {
        if case .error(let text) = reply {
            let code = RedisErrorCode(text)
            let right = MissingRight(text) ?? (code == .noPermission ? .command("subscribe") : nil)
            return end(right.map(StoreError.noPermission) ?? .refuses(command: "SUBSCRIBE", code))
        }
        guard names.isAcknowledgement(reply, of: number) else { return end(.strangeSubscription) }
        phase = .subscribing(report, acknowledged: number + 1)
    }

    /// Without the announcements there is coherence, but no standby.
    private func acknowledgeAnnouncements(_ reply: RESPValue, _ report: ServerReport) {
        let hasAnnouncements: Bool
        if case .error = reply {
            hasAnnouncements = false
        } else {
            guard names.isAcknowledgement(reply, of: names.required.count) else { return end(.strangeSubscription) }
            hasAnnouncements = true
        }
        phase = .hearing(hasAnnouncements: hasAnnouncements)
        deadline?.cancel()
        deadline = nil
        owner?.subscribed(to: report, hearsAnnouncements: hasAnnouncements)
    }

    private func error(of fault: RESPFault) -> StoreError {
        switch (phase, fault) {
        case (.greeting, _): .notRedis
        case (_, .malformed): .misbehaves("the server sent a subscriber malformed bytes")
        case (_, .tooLarge): .misbehaves("the server sent a subscriber a message that is too large")
        case (_, .noMemory): .misbehaves("out of memory for its message")
        }
    }
}

extension StoreError {
    fileprivate static let strangeSubscription = StoreError.misbehaves(
        "the server does not answer SUBSCRIBE as Redis does")
}
