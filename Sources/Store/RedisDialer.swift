import Affinity
import NIOCore
import NIOPosix
import Networking

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
    private let settings: StoreSettings
    private let outlook: StoreOutlook
    private let resolver: NameResolver
    private var phase = Phase.idle
    private var delay = ReconnectDelay()

    init(
        eventLoop: any EventLoop, settings: StoreSettings, outlook: StoreOutlook, resolver: NameResolver = .shared
    ) {
        self.eventLoop = eventLoop
        self.settings = settings
        self.outlook = outlook
        self.resolver = resolver
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

    private func attempt(_ taker: @escaping Taker) {
        guard outlook.admitsAttempt(now: .now) else { return wait(taker) }
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
            return bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port, on: eventLoop, by: resolver)
        case .unixSocket(let path): return bootstrap.connect(unixDomainSocketPath: path)
        }
    }
}
