import NIOCore

#if canImport(Glibc)
import Glibc
#endif

/// A client's connection through a `FaultProxy`, and the matching connection to the server.
///
/// Unchecked: it is accessed only on the proxy's event loop.
final class FaultLink: @unchecked Sendable {
    enum End {
        case client, server
    }

    /// Called once, when the client subscribes.
    var subscribed: (() -> Void)?
    private(set) var kind = FaultProxy.Kind.data
    private let client: any Channel
    private var server: (any Channel)?
    private var fault: FaultProxy.Fault
    private let toServer = FaultQueue()
    private let toClient = FaultQueue()
    private var opening: [UInt8] = []

    init(client: any Channel, fault: FaultProxy.Fault) {
        (self.client, self.fault) = (client, fault)
    }

    var heldByteCount: Int { toServer.byteCount + toClient.byteCount }

    // MARK: Connection events

    func connected(_ server: any Channel) {
        self.server = server
        guard client.isActive else { return server.close(promise: nil) }
        pump()
    }

    func received(_ bytes: ByteBuffer, from end: End) {
        if end == .client { recognise(bytes) }
        guard fault != .halfOpen else { return }
        switch end {
        case .client: toServer.append(.bytes(bytes), due: .now() + delay(.toServer))
        case .server: toClient.append(.bytes(bytes), due: .now() + delay(.toClient))
        }
        pump()
    }

    /// If the client disconnects, a half-open connection ends with it; if the server disconnects, the connection stays
    /// half-open.
    func ended(_ end: End) {
        guard fault != .halfOpen else {
            if end == .client { server?.close(promise: nil) }
            return
        }
        switch end {
        case .client: toServer.append(.end, due: .now() + delay(.toServer))
        case .server: toClient.append(.end, due: .now() + delay(.toClient))
        }
        pump()
    }

    private func recognise(_ bytes: ByteBuffer) {
        guard kind == .data, opening.count < SubscribeCommand.openingMax else { return }
        opening += bytes.readableBytesView.prefix(SubscribeCommand.openingMax - opening.count)
        guard SubscribeCommand.occurs(in: opening) else { return }
        kind = .subscriber
        subscribed?()
    }

    // MARK: Faults

    func set(_ fault: FaultProxy.Fault) {
        guard self.fault != .halfOpen else { return }
        self.fault = fault
        if fault == .halfOpen {
            toServer.removeAll()
            toClient.removeAll()
        }
        pump()
    }

    func end(withReset: Bool) {
        for channel in [client, server].compactMap(\.self) {
            guard withReset, let options = channel as? any SocketOptionProvider else {
                channel.close(promise: nil)
                continue
            }
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    private func delay(_ direction: FaultProxy.Direction) -> TimeAmount {
        guard case .delay(let milliseconds, let delayed) = fault else { return .zero }
        switch (direction, delayed) {
        case (_, .both), (.toServer, .toServer), (.toClient, .toClient): return .milliseconds(Int64(milliseconds))
        default: return .zero
        }
    }

    // MARK: Forwarding

    /// Forwards everything that is due and that the receiver accepts, and reads only while there is room.
    func pump() {
        guard fault != .stall else { return setReading() }
        if let server { pump(toServer, to: server) }
        pump(toClient, to: client)
        setReading()
    }

    private func pump(_ queue: FaultQueue, to channel: any Channel) {
        var hasWritten = false
        while channel.isWritable || !channel.isActive, let item = queue.next(at: .now()) {
            switch item {
            case .bytes(let bytes):
                channel.write(bytes, promise: nil)
                hasWritten = true
            case .end:
                channel.flush()
                channel.close(promise: nil)
            }
        }
        if hasWritten { channel.flush() }
        if let due = queue.timer(after: .now()) {
            channel.eventLoop.scheduleTask(deadline: due) { self.timerFired() }
        }
    }

    private func timerFired() {
        toServer.timerFired(at: .now())
        toClient.timerFired(at: .now())
        pump()
    }

    private func setReading() {
        toServer.setReading(of: client)
        if let server { toClient.setReading(of: server) }
    }
}

/// The channel handler at one end of a link.
final class FaultEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let link: FaultLink
    private let end: FaultLink.End

    init(_ link: FaultLink, _ end: FaultLink.End) {
        (self.link, self.end) = (link, end)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        link.received(unwrapInboundIn(data), from: end)
    }

    func channelInactive(context: ChannelHandlerContext) {
        link.ended(end)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        link.pump()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
