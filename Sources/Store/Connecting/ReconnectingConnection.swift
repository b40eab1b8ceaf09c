import Affinity
import NIOCore
import Networking
import TLS

/// One connection to a server that is reestablished whenever it is lost, at the pace that all connections to the server
/// share: the shell around ``ReconnectState``. Confined to `eventLoop`.
///
/// Its owner reports the handler's progress: `greeted` when the first commands succeed, `ended` when the handler ends.
final class ReconnectingConnection<Handler: RedisHandler> {
    /// What the owner provides. Called on the loop.
    struct Owner {
        /// Creates the handler of a connection to this endpoint. Nil if memory allocation fails.
        let makeHandler: (RedisEndpoint) -> Handler?
        /// An attempt failed, or the connection ended. Another attempt follows. Called once for each error that the
        /// addresses of the endpoint had.
        let failed: (StoreError) -> Void
    }

    private let eventLoop: any EventLoop
    private let target: ConnectionTarget
    private let dialer: RedisDialer
    /// Nil before the start and after the stop.
    private var owner: Owner?
    private var state = ReconnectState()
    private var handler: Handler?
    private var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    private var attempt: EventLoopFuture<any Channel>?
    /// The endpoint's, in the order in which they are tried.
    private var addresses: [SocketAddress] = []
    /// How addresses failed in the current attempt.
    private var errors: [StoreError] = []
    /// When the last address was tried.
    private var attemptedAt = Instant.distantPast
    /// The number of the last attempt. What is reported about earlier ones is ignored.
    private var attempts: UInt64 = 0

    init(to target: ConnectionTarget, on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.target = target
        dialer = RedisDialer(
            eventLoop: eventLoop, connectTimeout: target.settings.connectTimeout, tls: target.tls,
            resolver: target.resolver)
    }

    /// The connection whose first commands succeeded, if there is one.
    var serving: Handler? {
        if case .serving = state.phase { handler } else { nil }
    }

    /// The endpoint of the connection or of the last attempt; before the first attempt, the configured one.
    var endpoint: RedisEndpoint { state.endpoint ?? target.settings.endpoint }

    /// Begins to connect.
    func start(_ owner: Owner) {
        guard case .idle = state.phase else { return }
        self.owner = owner
        attemptIsDue()
    }

    /// The first commands succeeded.
    func greeted(now: Instant) {
        guard state.greeted(now: now) else { return }
        errors = []
        target.status.connected()
    }

    /// The connection has proved useful.
    func proved() {
        state.proved()
    }

    /// The handler has ended.
    func ended(_ error: StoreError) {
        handler = nil
        fail(error)
    }

    /// The server is at another endpoint: a connection to the last one is ended, and one to this one made at once.
    func endpointChanged() {
        perform(state.endpointChanged(to: target.endpoints.next(after: nil)))
    }

    /// Ends the connection and makes no other. The future completes when the connection, or the attempt in progress,
    /// ends.
    func stop() -> EventLoopFuture<Void> {
        state.stop()
        timer?.cancel()
        handler?.end(.closed)
        owner = nil
        if let attempt {
            let loop = eventLoop
            return attempt.flatMap { $0.closeFuture }.flatMapError { _ in loop.makeSucceededVoidFuture() }
        }
        return channel?.closeFuture ?? eventLoop.makeSucceededVoidFuture()
    }

    private func attemptIsDue() {
        perform(
            state.attemptIsDue(
                from: target.endpoints, isAdmitted: target.status.admitsAttempt(now: .now), random: random()))
    }

    private func perform(_ action: ReconnectState.Action) {
        switch action {
        case .doNothing: break
        case .resolve(let endpoint): resolve(endpoint)
        case .connect(let index, let isLast): connect(addresses[index], isLast: isLast)
        case .wait(let milliseconds):
            timer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) { self.attemptIsDue() }
        case .tryAgain:
            timer?.cancel()
            attempts &+= 1
            errors = []
            attemptIsDue()
        case .end: handler?.end(.replaced)
        }
    }

    private func resolve(_ endpoint: RedisEndpoint) {
        attempts &+= 1
        let number = attempts
        dialer.addresses(of: endpoint).hop(to: eventLoop).assumeIsolated().whenComplete { self.resolved($0, number) }
    }

    private func resolved(_ result: Result<[SocketAddress], any Error>, _ number: UInt64) {
        guard number == attempts else { return }
        switch result {
        case .success(let found):
            addresses = found
            perform(state.resolved(count: found.count))
        case .failure(let error): fail(StoreError(connecting: error))
        }
    }

    private func connect(_ address: SocketAddress, isLast: Bool) {
        attemptedAt = .now
        let attempt = dialer.open(address, of: endpoint, isLast: isLast)
        self.attempt = attempt
        let number = attempts
        attempt.assumeIsolated().whenComplete { self.attemptEnded($0, number) }
    }

    private func attemptEnded(_ result: Result<any Channel, any Error>, _ number: UInt64) {
        guard number == attempts else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        attempt = nil
        switch result {
        case .success(let channel): state.connected() ? adopt(channel) : channel.close(promise: nil)
        case .failure(let error): fail(StoreError(connecting: error))
        }
    }

    private func adopt(_ channel: any Channel) {
        guard let handler = owner?.makeHandler(endpoint) else {
            channel.close(promise: nil)
            return fail(.misbehaves("out of memory for a connection"))
        }
        self.channel = channel
        self.handler = handler
        do {
            try channel.hand(to: handler)
        } catch {
            handler.end(StoreError(connecting: error))
        }
    }

    private func fail(_ error: StoreError) {
        noteSilence(error)
        let error = target.tls?.explain(error) ?? error
        let action = state.failed(error, now: .now, random: random())
        guard action != .doNothing else { return }
        if error != .replaced, !errors.contains(error) { errors.append(error) }
        if case .wait = action {
            let failed = errors
            errors = []
            target.status.failed()
            for error in failed { owner?.failed(error) }
        }
        perform(action)
    }

    /// A server that answers neither the connection nor its first commands owes a reply, like one that leaves a command
    /// unanswered.
    private func noteSilence(_ error: StoreError) {
        switch (state.phase, error) {
        case (.connecting, .connectTimeout), (.connecting, .tls(.timedOut)), (.greeting, .silent):
            target.servers?.gaveUp(on: endpoint.address, owedSince: attemptedAt, now: .now)
        default: break
        }
    }

    private func random() -> UInt64 { .random(in: 0...(.max)) }
}
