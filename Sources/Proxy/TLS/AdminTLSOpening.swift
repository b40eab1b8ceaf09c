import CLimpetTickets
package import NIOCore
import NIOSSL
import NIOTLS

/// The beginning of a connection of an admin listener with TLS: chooses the certificate by the name that the client
/// asks for, and leaves the pipeline. A client that speaks plain HTTP is answered 400.
package final class AdminTLSOpening: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// The body of that answer.
    package static let needsTLS = "this listener needs TLS: use https\n"
    /// As at entry points.
    private static let handshakeTimeout = ProxyLimits().handshakeTimeout

    private let tls: @Sendable () -> TLSServing?
    private let handOver: @Sendable (any Channel) throws -> Void
    private var timer: Scheduled<Void>?
    private var received: ByteBuffer?
    private var isDecided = false

    /// - Parameters:
    ///   - tls: the one in use when a connection begins.
    ///   - handOver: adds what serves the connection, once the handshake is complete.
    package init(
        tls: @escaping @Sendable () -> TLSServing?, handOver: @escaping @Sendable (any Channel) throws -> Void
    ) {
        self.tls = tls
        self.handOver = handOver
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: Self.handshakeTimeout) { channel.close(promise: nil) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes after an answer is not read.
        guard !isDecided else { return }
        var bytes = unwrapInboundIn(data)
        if var all = received.take() {
            all.writeBuffer(&bytes)
            bytes = all
        }
        switch FirstBytes(bytes.readableBytesView) {
        case .unknown: received = bytes
        case .plain: answerPlain(context)
        case .sslv2: close(context)
        case .tls:
            switch ClientHello.read(bytes.readableBytesView) {
            case .incomplete: received = bytes
            case .malformed: close(context)
            case .complete(let serverName): begin(context, bytes, serverName)
            }
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) { close(context) }

    private func begin(_ context: ChannelHandlerContext, _ bytes: ByteBuffer, _ serverName: String?) {
        guard case .context(let server)? = tls()?.selectForAdmin(serverName, now: Int64(WallClock.seconds())) else {
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(bytes: TLSAlert.unrecognizedName.record)), promise: nil)
            return close(context)
        }
        isDecided = true
        let handshake = AdminTLSHandshake(timer: timer, handOver: handOver)
        do {
            try context.pipeline.syncOperations.addHandlers([server.makeHandler(), handshake], position: .after(self))
        } catch {
            return close(context)
        }
        context.fireChannelRead(wrapInboundOut(bytes))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func answerPlain(_ context: ChannelHandlerContext) {
        let text = Self.needsTLS
        let head =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n"
            + "Connection: close\r\n\r\n"
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head + text)), promise: nil)
        close(context)
    }

    private func close(_ context: ChannelHandlerContext) {
        isDecided = true
        timer?.cancel()
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension AdminTLSOpening: Sendable {}

/// Waits behind the TLS handler for the end of the handshake, and leaves the pipeline.
private final class AdminTLSHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let timer: Scheduled<Void>?
    private let handOver: @Sendable (any Channel) throws -> Void

    init(timer: Scheduled<Void>?, handOver: @escaping @Sendable (any Channel) throws -> Void) {
        self.timer = timer
        self.handOver = handOver
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        _ = limpet_handshake_take()
        timer?.cancel()
        do {
            try handOver(context.channel)
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        _ = limpet_handshake_take()
        timer?.cancel()
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension AdminTLSHandshake: Sendable {}
