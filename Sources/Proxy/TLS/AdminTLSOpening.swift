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

    private let tls: AdminTLS
    private let handOver: @Sendable (any Channel) throws -> Void
    private var handshake: AdminTLS.Handshake?
    private var received: ByteBuffer?
    private var isDecided = false

    /// - Parameter handOver: adds what serves the connection, once the handshake is complete.
    package init(_ tls: AdminTLS, handOver: @escaping @Sendable (any Channel) throws -> Void) {
        self.tls = tls
        self.handOver = handOver
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        handshake = AdminTLS.Handshake(tls, on: context.channel)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        handshake?.closed()
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
        handshake?.begin()
        switch FirstBytes(bytes.readableBytesView) {
        case .unknown: received = bytes
        case .plain: answerPlain(context)
        case .sslv2: refuse(context, .sslv2, alert: .protocolVersion)
        case .tls:
            switch ClientHello.read(bytes.readableBytesView) {
            case .incomplete: received = bytes
            case .malformed: refuse(context, .malformed, alert: .decodeError)
            case .complete(let serverName): begin(context, bytes, serverName)
            }
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func begin(_ context: ChannelHandlerContext, _ bytes: ByteBuffer, _ serverName: String?) {
        guard let handshake, handshake.admit() else { return refuse(context, .limit, alert: nil) }
        switch tls.select(serverName) {
        case .unrecognizedName: refuse(context, .unrecognizedName, alert: .unrecognizedName)
        case .unusable: refuse(context, .other, alert: .internalError)
        case .context(let server):
            do {
                try context.pipeline.syncOperations.addHandlers(
                    [server.makeHandler(), AdminTLSHandshake(handshake, handOver: handOver)], position: .after(self))
            } catch {
                return refuse(context, .other, alert: .internalError)
            }
            isDecided = true
            context.fireChannelRead(wrapInboundOut(bytes))
            context.fireChannelReadComplete()
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }

    private func answerPlain(_ context: ChannelHandlerContext) {
        let text = Self.needsTLS
        let head =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n"
            + "Connection: close\r\n\r\n"
        isDecided = true
        handshake?.end(nil)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head + text)), promise: nil)
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: HandshakeFailure, alert: TLSAlert?) {
        isDecided = true
        handshake?.end(reason)
        if let alert { context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: alert.record)), promise: nil) }
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension AdminTLSOpening: Sendable {}

/// Waits behind the TLS handler for the end of the handshake, and leaves the pipeline.
private final class AdminTLSHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let handshake: AdminTLS.Handshake
    private let handOver: @Sendable (any Channel) throws -> Void

    init(_ handshake: AdminTLS.Handshake, handOver: @escaping @Sendable (any Channel) throws -> Void) {
        self.handshake = handshake
        self.handOver = handOver
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        _ = limpet_handshake_take()
        handshake.end(nil)
        do {
            try handOver(context.channel)
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        handshake.closed()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        handshake.end(HandshakeFailure(of: error, on: context.channel))
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension AdminTLSHandshake: Sendable {}
