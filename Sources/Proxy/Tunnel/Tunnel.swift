import NIOCore

/// Two connections, or streams of HTTP/2, that belong together since a backend has switched protocols: what one sends,
/// the other receives.
///
/// Each direction ends by itself: a peer that closes its output is not cut off from what the other still sends. The
/// tunnel ends when both connections have closed. Confined to one event loop.
final class Tunnel: ClientConnection {
    enum Side {
        case client, backend

        var other: Side { self == .client ? .backend : .client }
        fileprivate var closed: Reason { self == .client ? .clientClosed : .backendClosed }
        fileprivate var reset: Reason { self == .client ? .clientReset : .backendReset }
    }

    private let worker: Worker
    /// Where it counts as a connection; nil if the client's end is a stream, whose connection counts itself.
    private var entryPoint: EntryPoint?
    private let isWebSocket: Bool
    private let idleTimeout: TimeAmount?
    /// How often to keep the sessions alive; nil: there are none.
    private let renewalInterval: TimeAmount?
    private var renewal = NIODeadline.distantFuture
    private var idleDeadline = NIODeadline.distantFuture
    /// When what is left is cut, once one connection has closed or the replica stops.
    private var lastDeadline = NIODeadline.distantFuture
    private var client: (any TunnelEnd)?
    private var backend: (any TunnelEnd)?
    /// From the client to the backend.
    private var upwards: TunnelFlow
    /// From the backend to the client.
    private var downwards: TunnelFlow
    /// What ended the tunnel first; nil while nothing has ended.
    private var ending: Reason?
    private var exchange: Exchange?
    private var ownsBackendConnection = false
    var deadline = NIODeadline.distantFuture
    var sweepIndex = -1

    private var loop: LoopContext { worker.loop }

    /// - Parameters:
    ///   - exchange: kept, and told when the tunnel has ended.
    ///   - idleTimeout: nil for none.
    init(_ exchange: Exchange, worker: Worker, entryPoint: EntryPoint, isWebSocket: Bool, idleTimeout: TimeAmount?) {
        self.exchange = exchange
        self.worker = worker
        self.entryPoint = entryPoint
        self.isWebSocket = isWebSocket
        self.idleTimeout = idleTimeout
        renewalInterval = exchange.sessionRenewalInterval
        upwards = TunnelFlow(isWebSocket: isWebSocket)
        downwards = TunnelFlow(isWebSocket: isWebSocket)
    }

    /// Takes both sides over, and passes on what each has already received.
    func begin(client: TunnelOrigin, backend: TunnelOrigin) {
        if !client.isConnection { entryPoint = nil }
        worker.clientOpened(self, at: entryPoint)
        ownsBackendConnection = backend.isConnection
        if ownsBackendConnection { loop.counters.backendConnections += 1 }
        loop.counters.openTunnels += 1
        do {
            self.client = try client.makeEnd(.client, of: self, on: loop)
            self.backend = try backend.makeEnd(.backend, of: self, on: loop)
        } catch {
            // One of them has closed in this turn of the loop.
            return fail(client, backend)
        }
        if let renewalInterval { renewal = .now() + renewalInterval }
        isActive()
        setDeadline()
        received(backend.unread, from: .backend)
        received(client.unread, from: .client)
        if client.inputIsClosed { inputClosed(.client) }
        self.client?.read()
        self.backend?.read()
    }

    private func fail(_ client: TunnelOrigin, _ backend: TunnelOrigin) {
        note((client.isActive ? Side.backend : .client).reset)
        self.client = nil
        self.backend = nil
        client.close()
        backend.close()
        finishIfClosed()
    }

    // MARK: Events of the ends

    func received(_ bytes: ByteBuffer, from side: Side) {
        guard bytes.readableBytes > 0, let receiver = connection(side.other) else { return }
        isActive()
        let passage = bytes.withUnsafeReadableBytes { self[side].received($0) }
        if passage.count == bytes.readableBytes {
            receiver.send(bytes)
        } else if let passed = bytes.getSlice(at: bytes.readerIndex, length: passage.count), passage.count > 0 {
            receiver.send(passed)
        }
        if passage.closesAfterwards { sendGoingAway(to: receiver) }
        if !receiver.isWritable { connection(side)?.pauseReading() }
    }

    /// What this side sends.
    private subscript(_ side: Side) -> TunnelFlow {
        get { side == .client ? upwards : downwards }
        _modify {
            switch side {
            case .client: yield &upwards
            case .backend: yield &downwards
            }
        }
    }

    func inputClosed(_ side: Side) {
        note(side.closed)
        if self[side].inputClosed() { connection(side.other)?.closeOutput() }
    }

    func writabilityChanged(_ side: Side) {
        guard connection(side)?.isWritable == true else { return }
        connection(side.other)?.resumeReading()
    }

    /// The connection of this side was reset. The other side's connection is closed at once, unless this side had sent
    /// everything before: then that still has to arrive.
    func failed(_ side: Side) {
        note(side.reset)
        if !self[side].hasEnded { connection(side.other)?.close() }
    }

    /// The connection of this side has closed, both ways. Nobody is left to receive what the other side sends, so it is
    /// read and dropped until that side closes, too.
    func closed(_ side: Side) {
        if side == .client { client = nil } else { backend = nil }
        inputClosed(side)
        connection(side.other)?.resumeReading()
        lastDeadline = min(lastDeadline, .now() + loop.limits.stallTimeout)
        setDeadline()
        finishIfClosed()
    }

    // MARK: Time-outs and stops

    func deadlinePassed() {
        let now = NIODeadline.now()
        guard now < lastDeadline, now < idleDeadline else {
            deadline = .distantFuture
            note(.tunnelIdle)
            return cut()
        }
        if let renewalInterval, now >= renewal {
            exchange?.keepSessionsAlive()
            renewal = now + renewalInterval
        }
        setDeadline()
    }

    private func setDeadline() { deadline = min(renewal, idleDeadline, lastDeadline) }

    /// A tunnel has no end to wait for: it is left alone until the stop's deadline.
    func stop(by last: NIODeadline) {}

    /// The stop's deadline: a WebSocket is closed with 1001 at the next boundary between frames, both ways; anything
    /// else is cut.
    func goAway(by last: NIODeadline) {
        note(.shutdown)
        guard isWebSocket else { return cut() }
        lastDeadline = min(lastDeadline, last)
        setDeadline()
        if upwards.goAway(), let backend { sendGoingAway(to: backend) }
        if downwards.goAway(), let client { sendGoingAway(to: client) }
    }

    private func sendGoingAway(to receiver: any TunnelEnd) {
        let frame =
            receiver.side == .client
            ? WebSocketFrames.goingAway
            : WebSocketFrames.goingAway(maskedBy: UInt32(truncatingIfNeeded: loop.randomSeed()))
        receiver.send(ByteBuffer(bytes: frame))
        receiver.closeOutput()
    }

    func cut() {
        note(.shutdown)
        client?.close()
        backend?.close()
    }

    // MARK: The end

    private func connection(_ side: Side) -> (any TunnelEnd)? { side == .client ? client : backend }

    private func isActive() {
        guard let idleTimeout else { return }
        idleDeadline = loop.deadlines.deadline(in: idleTimeout)
        setDeadline()
    }

    /// The first cause counts.
    private func note(_ reason: Reason) {
        if ending == nil { ending = reason }
    }

    private func finishIfClosed() {
        guard client == nil, backend == nil, let exchange = exchange.take() else { return }
        worker.clientClosed(self, at: entryPoint)
        if ownsBackendConnection { loop.counters.backendConnections -= 1 }
        loop.counters.openTunnels -= 1
        exchange.tunnelEnded(
            ending ?? .shutdown, bytesFromClient: upwards.byteCount, bytesFromBackend: downwards.byteCount)
    }
}

@available(*, unavailable)
extension Tunnel: Sendable {}
