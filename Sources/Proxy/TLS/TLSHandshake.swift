import CLimpetTickets
import NIOCore
import NIOSSL
import NIOTLS

/// Waits behind the TLS handler for the end of the handshake. Then it reports what is known of the connection, or why
/// there is none, and leaves the pipeline.
final class TLSHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let opening: ConnectionOpening
    private let options: TLSOptions
    private let serverName: String?

    init(opening: ConnectionOpening, options: TLSOptions, serverName: String?) {
        self.opening = opening
        self.options = options
        self.serverName = serverName
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let applicationProtocol) = event else {
            // A client that stops sending in the middle of a handshake: an error follows.
            return
        }
        let facts = limpet_handshake_take()
        let info = TLSConnectionInfo(
            version: facts.version == 0x0304 ? .tls13 : .tls12, suite: String(cString: facts.suite),
            serverName: serverName, isResumed: facts.is_resumed,
            isHTTP2: applicationProtocol == "h2", options: options,
            clientCertificate: clientCertificate(context))
        opening.completed(info, after: self)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        opening.failed(HandshakeFailure(of: error, on: context.channel))
    }

    func channelInactive(context: ChannelHandlerContext) {
        opening.failed(.closed)
        context.fireChannelInactive()
    }

    private func clientCertificate(_ context: ChannelHandlerContext) -> ClientCertificate? {
        guard options.clientAuth != .none,
            let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
        else { return nil }
        return (try? handler.peerCertificate?.toDERBytes()).map(ClientCertificate.init(der:))
    }
}

@available(*, unavailable)
extension TLSHandshake: Sendable {}

extension HandshakeFailure {
    /// Why the handshake of a server's connection ended. Takes what was noted of it last: must be called once, where
    /// the error is caught.
    init(of error: any Error, on channel: any Channel) {
        let facts = limpet_handshake_take()
        // TLS 1.2 has no alert of its own for it.
        if "\(error)".contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") {
            self = .clientCertificate
        } else {
            self.init(
                received: facts.alert_received >= 0 ? Int(facts.alert_received) : nil,
                sent: facts.alert_sent >= 0 ? Int(facts.alert_sent) : nil,
                isClosed: !channel.isActive || Self.isEnd(error))
        }
    }

    private static func isEnd(_ error: any Error) -> Bool {
        switch error {
        case NIOSSLError.handshakeFailed(.sslError(let errors)): errors.contains(.eofDuringHandshake)
        case is IOError: true
        default: false
        }
    }
}
