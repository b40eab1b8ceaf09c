import HTTPWire
import NIOCore

/// The client side of a connection: gathers request heads, hands each to an ``Exchange``, one at a time and in order,
/// and writes what comes back.
final class ClientHandler: ChannelInboundHandler, DeadlineHolder {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Between requests, or within a head. → busy, closing, closed
        case awaitingHead
        /// One exchange is under way. → awaitingHead, closing, closed
        case busy(Exchange)
        /// The last response is on its way; what still comes in is thrown away. → closed
        case closing
        case closed
    }

    let worker: Worker
    let entryPoint: EntryPoint
    private(set) var identity: ClientIdentity?
    private var context: ChannelHandlerContext?
    private var state = State.awaitingHead
    /// Bytes that nobody has taken yet: a head in part, a body while the backend is being found, the next request.
    private var held: ByteBuffer?
    private var headEnd: HeadEnd
    /// No piece of the next head has been scanned yet.
    private var isAtHeadStart = true
    /// The deadline that runs is that of an idle connection, not of a head.
    private var isIdle = false
    private var isConsuming = false
    private var isReading = true
    private(set) var isWritable = true
    var deadline = NIODeadline.distantFuture
    var sweepIndex = -1

    init(worker: Worker, entryPoint: EntryPoint) {
        self.worker = worker
        self.entryPoint = entryPoint
        headEnd = HeadEnd(limits: worker.limits.message)
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        identity = ClientIdentity(
            remote: context.channel.remoteAddress, local: context.channel.localAddress, entryPoint: entryPoint,
            replicaName: worker.replicaName)
        worker.clientOpened(self)
        deadline = .now() + worker.limits.headTimeout
    }

    func channelInactive(context: ChannelHandlerContext) {
        let last = state
        state = .closed
        held = nil
        self.context = nil
        worker.clientClosed(self)
        if case .busy(let exchange) = last { exchange.clientClosed() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var all = held.take() {
            all.writeBuffer(&bytes)
            consume(&all)
            if all.readableBytes > 0 { hold(all) }
        } else {
            consume(&bytes)
            // The receive buffer is the loop's; what stays here is copied out of it.
            if bytes.readableBytes > 0 { hold(worker.copy(bytes)) }
        }
        worker.receiveBuffers.giveBack(bytes)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        guard case .busy(let exchange) = state else { return }
        deadline = isWritable ? .distantFuture : .now() + worker.limits.bodyGap
        exchange.clientWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset by the client. The channel closes; there is nobody to answer.
        context.close(promise: nil)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        switch state {
        case .awaitingHead:
            if held == nil { close() } else { refuse(.requestTimeout) }
        case .busy(let exchange):
            exchange.clientTimedOut()
        case .closing:
            close()
        case .closed:
            break
        }
    }

    // MARK: Input

    /// Feeds bytes to whoever is to have them, until none are left or the one whose turn it is does not want them.
    private func consume(_ bytes: inout ByteBuffer) {
        isConsuming = true
        defer { isConsuming = false }
        while bytes.readableBytes > 0 {
            let before = bytes.readableBytes
            switch state {
            case .awaitingHead:
                guard readHead(&bytes) else { return }
            case .busy(let exchange):
                exchange.takeRequestBytes(&bytes)
                if bytes.readableBytes == before { return }
            case .closing, .closed:
                bytes.clear()
            }
        }
    }

    /// Keeps bytes for later. While an exchange is under way that bounds the input: nothing more is read until they
    /// are taken.
    private func hold(_ bytes: ByteBuffer) {
        switch state {
        case .awaitingHead:
            held = bytes
        case .busy:
            held = bytes
            if !wantsMore { pauseReading() }
        case .closing, .closed:
            break
        }
    }

    /// Offers the held bytes again.
    private func consumeHeld() {
        guard !isConsuming, var bytes = held.take() else { return }
        consume(&bytes)
        if bytes.readableBytes > 0 { hold(bytes) }
    }

    /// Returns false where the head is not all there yet.
    private func readHead(_ bytes: inout ByteBuffer) -> Bool {
        let scan = bytes.withUnsafeReadableBytes { source -> RequestScan in
            guard isAtHeadStart || headEnd.find(in: source) else { return .incomplete }
            return worker.scanner.scanRequest(source, into: worker.requestFields)
        }
        switch scan {
        case .incomplete:
            // From the first byte of a head to its last; a later piece gains it no time.
            if isIdle { deadline = .now() + worker.limits.headTimeout }
            isIdle = false
            isAtHeadStart = false
            return false
        case .refused(let refusal):
            refuse(ErrorAnswer(status: refusal.status))
            return true
        case .head(let head):
            start(head, &bytes)
            return true
        }
    }

    private func start(_ head: RequestHead, _ bytes: inout ByteBuffer) {
        if !isAtHeadStart { headEnd = HeadEnd(limits: worker.limits.message) }
        isAtHeadStart = true
        isIdle = false
        deadline = .distantFuture
        guard let identity else { return close() }
        let exchange = Exchange(head, for: self, worker: worker)
        state = .busy(exchange)
        bytes.withUnsafeReadableBytes { bytes in
            exchange.start(RequestView(head: head, bytes: bytes, fields: worker.requestFields, client: identity))
        }
        bytes.moveReaderIndex(forwardBy: head.length)
        if case .busy(let current) = state, current === exchange { exchange.headWasTaken() }
    }

    // MARK: What an exchange asks for

    func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    /// There is room for the body now: what was held is offered again, and reading goes on.
    func inputIsWanted() {
        consumeHeld()
        // What is still held may be the first part of something that only more bytes make whole.
        if held == nil || wantsMore { resumeReading() }
    }

    private var wantsMore: Bool {
        switch state {
        case .awaitingHead, .closing: true
        case .busy(let exchange): exchange.wantsRequestBytes
        case .closed: false
        }
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

    /// The exchange is over, its response written. The connection goes on to the next request, or closes.
    func exchangeEnded(persists: Bool) {
        guard case .busy = state else { return }
        guard persists, !worker.isStopping else { return closeAfterResponse() }
        state = .awaitingHead
        isIdle = true
        deadline = .now() + worker.limits.idleTimeout
        inputIsWanted()
    }

    /// The response cannot be finished: the only way to say so is to cut it.
    func cut() {
        close()
    }

    /// Stops taking requests: an idle connection has a moment left for one that is on its way.
    func stop(by last: NIODeadline) {
        if case .awaitingHead = state, held == nil { deadline = min(deadline, last) }
    }

    // MARK: Ends

    /// Answers a request that never became an exchange, and closes: where the next one begins cannot be known.
    private func refuse(_ answer: ErrorAnswer) {
        worker.counters.refused[answer.label, default: 0] &+= 1
        var bytes = worker.spareBuffers.take()
        OwnAnswer(answer).write(into: &bytes, closing: true, bodiless: false)
        write(bytes)
        flush()
        worker.spareBuffers.giveBack(bytes)
        closeAfterResponse()
    }

    /// Closes the output, then discards input for a while: a reset would destroy the response on its way.
    private func closeAfterResponse() {
        guard let context else { return }
        state = .closing
        held = nil
        deadline = .now() + worker.limits.lingerTimeout
        context.close(mode: .output, promise: nil)
        resumeReading()
    }

    private func close() {
        context?.close(mode: .all, promise: nil)
    }
}

@available(*, unavailable)
extension ClientHandler: Sendable {}
