import Affinity
import NIOCore

/// One connection to a Sentinel, over which it is asked, or over which its notices of fail-overs are heard: a
/// connection that has subscribed takes no questions. Confined to the event loop of its owner.
final class SentinelConnection: RedisHandler {
    enum Purpose {
        case questions, notices
    }

    /// What it reports, on its loop.
    struct Owner {
        /// The first commands succeeded.
        let greeted: () -> Void
        /// The answer to the question asked at this time; nil for the first, which nobody asked.
        let answered: (SentinelReply, _ askedAt: Instant?) -> Void
        /// A fail-over of the primary was announced.
        let noticed: () -> Void
        /// It has subscribed, and a `PING` was answered.
        let heard: () -> Void
        let ended: (StoreError) -> Void
    }

    private enum Phase {
        case opening, authenticating, greeting, serving, ended
    }

    private static let channel = "+switch-master"
    /// A reply has about a hundred values.
    private static let limits = RESPLimits(buffered: 32 * 1024, bulk: 4096, records: 512, nesting: 1)
    /// The maximum number of unanswered questions.
    private static let questionsMax = 4

    private let purpose: Purpose
    let endpoint: RedisEndpoint
    private let settings: StoreSettings
    private let primaryName: String
    private let reader: RESPReader
    var owner: Owner?
    var context: ChannelHandlerContext?
    private var phase = Phase.opening
    private var questions: [Instant] = []
    private var isPinged = false
    private var deadline: Scheduled<Void>?

    /// Nil if memory allocation fails.
    init?(_ purpose: Purpose, endpoint: RedisEndpoint, settings: StoreSettings, primaryName: String, owner: Owner) {
        guard let reader = RESPReader(limits: Self.limits) else { return nil }
        self.purpose = purpose
        self.endpoint = endpoint
        self.settings = settings
        self.primaryName = primaryName
        self.owner = owner
        self.reader = reader
    }

    var isServing: Bool { if case .serving = phase { true } else { false } }

    func ended(_ error: StoreError, of owner: Owner) {
        phase = .ended
        deadline?.cancel()
        deadline = nil
        owner.ended(error)
    }

    /// Asks which server is the primary. False if too many questions are unanswered.
    func ask(at now: Instant) -> Bool {
        guard isServing, purpose == .questions, questions.count < Self.questionsMax else { return false }
        questions.append(now)
        send([question])
        return owner != nil
    }

    /// Finds out whether the Sentinel still answers. One that does not is left.
    func ping() {
        guard isServing, purpose == .notices, !isPinged else { return }
        isPinged = true
        send([["PING"]])
    }

    private var question: [String] { ["SENTINEL", "MASTER", primaryName] }

    // MARK: Channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            if !isServing, bytes.first == StoreError.alertOfTLS { return end(.speaksTLS) }
            let fault = reader.feed(bytes)
            reader.drain { reply in
                receive(reply)
                return owner != nil
            }
            if fault != nil { end(.notRedis) }
        }
    }

    func greet() {
        guard case .opening = phase else { return }
        var commands: [[String]] = []
        if let credentials = endpoint.credentials {
            commands.append(["AUTH"] + [credentials.username, credentials.password].compactMap(\.self))
        }
        commands.append(purpose == .questions ? question : ["SUBSCRIBE", Self.channel])
        phase = commands.count > 1 ? .authenticating : .greeting
        send(commands)
    }

    private func send(_ commands: [[String]]) {
        guard let context else { return end(.closed) }
        var buffer = context.channel.allocator.buffer(capacity: 128)
        for command in commands where !RedisCommands.format(command, in: &buffer) {
            return end(.misbehaves("out of memory for a command"))
        }
        context.writeAndFlush(NIOAny(buffer), promise: nil)
        guard deadline == nil, owner != nil else { return }
        awaitReply(context)
    }

    private func awaitReply(_ context: ChannelHandlerContext) {
        let wait = TimeAmount.nanoseconds(max(1, settings.connectTimeout.wholeNanoseconds))
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: wait) { self.end(.silent) }
    }

    // MARK: Replies

    private func receive(_ reply: RESPValue) {
        deadline?.cancel()
        deadline = nil
        switch phase {
        case .opening, .ended: break
        case .authenticating: authenticated(reply)
        case .greeting: greeted(reply)
        case .serving: purpose == .questions ? answered(reply) : heard(reply)
        }
        if owner != nil, let context, !questions.isEmpty || isPinged || isGreeting { awaitReply(context) }
    }

    private var isGreeting: Bool {
        if case .greeting = phase { true } else { false }
    }

    private func authenticated(_ reply: RESPValue) {
        switch reply {
        case .status: phase = .greeting
        case .error(let text):
            end(StoreError(refusing: "AUTH", text))
        case .none, .integer, .string, .array: end(.notRedis)
        }
    }

    private func greeted(_ reply: RESPValue) {
        if purpose == .questions {
            let answer = SentinelReply(reply)
            if case .failed(let error) = answer { return end(error) }
            phase = .serving
            owner?.greeted()
            owner?.answered(answer, nil)
            return
        }
        if case .error(let text) = reply {
            let error = StoreError(refusing: "SUBSCRIBE", text)
            return end(error == .noPermission(.channels) ? .noPermission(.switchChannel) : error)
        }
        guard case .array(var elements) = reply, case .string(let kind) = elements.next(),
            kind.elementsEqual("subscribe".utf8)
        else { return end(.notRedis) }
        phase = .serving
        owner?.greeted()
    }

    private func answered(_ reply: RESPValue) {
        guard !questions.isEmpty else { return end(.surplusReply) }
        let askedAt = questions.removeFirst()
        let answer = SentinelReply(reply)
        owner?.answered(answer, askedAt)
        if case .failed(let error) = answer { end(error) }
    }

    /// `message +switch-master "<name> <old address> <old port> <new address> <new port>"`, or the reply to a `PING`.
    private func heard(_ reply: RESPValue) {
        if case .error(let text) = reply { return end(StoreError(refusing: "PING", text)) }
        guard case .array(var elements) = reply, case .string(let kind) = elements.next() else {
            return end(.misbehaves("the Sentinel sent a subscriber something other than a message"))
        }
        if kind.elementsEqual("pong".utf8) {
            isPinged = false
            owner?.heard()
        } else if kind.elementsEqual("message".utf8), elements.next() != nil, case .string(let text) = elements.next(),
            text.starts(with: (primaryName + " ").utf8)
        {
            owner?.noticed()
        }
    }
}
