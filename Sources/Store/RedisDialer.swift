import Affinity
import NIOCore
import NIOPosix

/// Makes connections to one Redis, one at a time, in the replica's common pace. Confined to `eventLoop`.
final class RedisDialer {
    private enum Phase {
        case idle
        case waiting(Scheduled<Void>)
        case connecting(EventLoopFuture<any Channel>)
        case stopped
    }

    /// What became of the attempt. Called once, on the loop, never from within `dial`.
    typealias Taker = (Result<any Channel, StoreTrouble>) -> Void

    private let eventLoop: any EventLoop
    private let primary: RedisPrimary
    private var phase = Phase.idle
    private var delay = ReconnectDelay()

    init(eventLoop: any EventLoop, primary: RedisPrimary) {
        self.eventLoop = eventLoop
        self.primary = primary
    }

    /// Attempts to connect as soon as the pace admits it. The channel reads nothing before it is told to.
    func dial(_ taker: @escaping Taker) {
        guard case .idle = phase else { return }
        attempt(taker)
    }

    /// As `dial`, after a wait.
    func dialLater(_ taker: @escaping Taker) {
        guard case .idle = phase else { return }
        wait(taker)
    }

    /// The connection was a good one: the next wait is a short one.
    func reset() {
        delay.reset()
    }

    /// Gives up; the taker is not called. The future is of the attempt that is under way.
    func stop() -> EventLoopFuture<Void> {
        let ending = phase
        phase = .stopped
        switch ending {
        case .idle, .stopped: break
        case .waiting(let attempt): attempt.cancel()
        case .connecting(let attempt):
            let loop = eventLoop
            return attempt.flatMap { $0.closeFuture }.flatMapError { _ in loop.makeSucceededVoidFuture() }
        }
        return eventLoop.makeSucceededVoidFuture()
    }

    /// Gives a channel that was dialed to who reads it: from here on it reads.
    static func hand(_ channel: any Channel, to handler: some ChannelHandler) throws {
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.syncOptions?.setOption(.autoRead, value: true)
    }

    private func attempt(_ taker: @escaping Taker) {
        guard primary.outlook.admitsAttempt(now: .now) else { return wait(taker) }
        let attempt = open()
        phase = .connecting(attempt)
        attempt.assumeIsolated().whenComplete { self.attemptEnded($0, taker) }
    }

    private func wait(_ taker: @escaping Taker) {
        let wait = TimeAmount.milliseconds(delay.next(random: .random(in: 0...(.max))))
        phase = .waiting(eventLoop.assumeIsolated().scheduleTask(in: wait) { self.attempt(taker) })
    }

    private func attemptEnded(_ result: Result<any Channel, any Error>, _ taker: Taker) {
        guard case .connecting = phase else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        phase = .idle
        taker(result.mapError(StoreTrouble.init(connecting:)))
    }

    /// Resolving a name may take longer than the timeout, which bounds each connection: the resolver's own
    /// timeouts bound that.
    private func open() -> EventLoopFuture<any Channel> {
        let timeout = TimeAmount.nanoseconds(max(1, primary.settings.connectTimeout.wholeNanoseconds))
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            // Nothing is read before there is somebody to read it.
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 4096, maximum: 1 << 16))
        switch primary.settings.endpoint.address {
        case .host(let host, let port):
            return bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(host: host, port: port)
        case .unixSocket(let path): return bootstrap.connect(unixDomainSocketPath: path)
        }
    }
}
