import HTTPWire
import NIOCore

/// One connection to a backend: carries one exchange at a time, and waits in its pool between two.
final class BackendHandler: ChannelInboundHandler, DeadlineHolder {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Connected and in nobody's hands, on the way into the pool. → pooled, busy, closed
        case fresh
        case pooled
        case busy(Exchange)
        case closed
    }

    private let worker: Worker
    private let pool: BackendPool
    private var context: ChannelHandlerContext?
    private var state = State.fresh
    /// Bytes of a response that nobody could take yet: a head in part, an unfinished chunk line.
    private var held: ByteBuffer?
    private var isReading = true
    private(set) var isWritable = true
    var deadline = NIODeadline.distantFuture
    var sweepIndex = -1
    /// Its place among the idle connections; only the pool writes it.
    var poolIndex = -1

    init(worker: Worker, pool: BackendPool) {
        self.worker = worker
        self.pool = pool
    }

    var isUsable: Bool {
        if case .closed = state { return false }
        return context != nil
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        worker.backendOpened(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let last = state
        state = .closed
        held = nil
        self.context = nil
        worker.backendClosed(self)
        switch last {
        case .pooled: pool.idleConnectionClosed(self)
        case .busy(let exchange): exchange.backendClosed()
        case .fresh, .closed: break
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard case .busy(let exchange) = state else {
            // Nobody asked. Whatever it is, the next response could not be told from it.
            return context.close(promise: nil)
        }
        if var all = held.take() {
            all.writeBuffer(&bytes)
            exchange.takeResponseBytes(&all)
            keep(all)
        } else {
            exchange.takeResponseBytes(&bytes)
            if bytes.readableBytes > 0 { keep(worker.copy(bytes)) }
        }
        worker.receiveBuffers.giveBack(bytes)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if case .busy(let exchange) = state { exchange.backendWritabilityChanged() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        switch state {
        case .fresh, .pooled: close()
        case .busy(let exchange): exchange.backendTimedOut()
        case .closed: break
        }
    }

    private func keep(_ bytes: ByteBuffer) {
        if case .busy = state, bytes.readableBytes > 0 { held = bytes }
    }

    // MARK: What its pool and its exchange ask for

    /// What an exchange has held of a response and cannot take yet.
    func hold(_ bytes: ByteBuffer) { keep(bytes) }

    func begin(_ exchange: Exchange) {
        state = .busy(exchange)
        deadline = .distantFuture
    }

    func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    /// The exchange is over. The connection serves another one only if nothing about its framing is in doubt.
    func end(isReusable: Bool) {
        guard case .busy = state else { return }
        guard isReusable, held == nil, isUsable else {
            state = .fresh
            return close()
        }
        resumeReading()
        state = .pooled
        deadline = .now() + worker.limits.backendIdleTimeout
        pool.giveBack(self)
    }

    /// A connection that was made for an exchange that is gone.
    func park() {
        guard case .fresh = state, isUsable else { return }
        state = .pooled
        deadline = .now() + worker.limits.backendIdleTimeout
        pool.giveBack(self)
    }

    func pauseReading() {
        guard isReading, let context else { return }
        isReading = false
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
    }

    func resumeReading() {
        guard !isReading, let context else { return }
        isReading = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
    }

    func close() {
        context?.close(mode: .all, promise: nil)
    }
}

@available(*, unavailable)
extension BackendHandler: Sendable {}
