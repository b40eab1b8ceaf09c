import CLimpetTickets
import NIOCore
import NIOSSL
import NIOTLS

/// Waits behind the TLS handler of a connection to a server for the end of the handshake, and leaves the pipeline.
final class ClientTLSHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<String?>
    private let name: String?
    private let peerURI: String?
    private let onResumption: () -> Void
    private var timer: Scheduled<Void>?
    private var isOver = false

    /// - Parameters:
    ///   - name: the normalized name that the certificate must have. The library would be content with a certificate
    ///     for the address that was connected to.
    ///   - peerURI: a URI that the certificate must have, too.
    ///   - onResumption: the handshake is complete, and resumed a session.
    init(
        _ promise: EventLoopPromise<String?>, name: String?, peerURI: String?, onResumption: @escaping () -> Void
    ) {
        self.onResumption = onResumption
        self.promise = promise
        self.name = name
        self.peerURI = peerURI
    }

    /// The first message is on its way: reads the answer.
    func begin(_ channel: any Channel, by deadline: NIODeadline) {
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        timer = channel.eventLoop.scheduleTask(deadline: deadline) {
            bound.value.fail(channel, .timedOut)
        }
        channel.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let negotiated) = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        let facts = limpet_handshake_take()
        if facts.is_resumed { onResumption() }
        if let fault = fault(of: context) { return fail(context.channel, fault) }
        // Without facts the version is 0.
        if negotiated == "h2", facts.version != 0, !facts.fits_http2 {
            return fail(context.channel, .prohibited(suite: String(cString: facts.suite)))
        }
        guard end() else { return }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        promise.succeed(negotiated)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let facts = limpet_handshake_take()
        guard !(error is NIOSSLExtraError) else { return fail(context.channel, .otherName) }
        fail(
            context.channel,
            .handshake(
                sent: Int(facts.alert_sent), received: Int(facts.alert_received),
                isPlain: "\(error)".contains("WRONG_VERSION_NUMBER")))
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(context.channel, .ended)
        context.fireChannelInactive()
    }

    /// What is wrong with the names in a certificate that the library has verified; nil: nothing.
    private func fault(of context: ChannelHandlerContext) -> ClientTLSError? {
        guard name != nil || peerURI != nil else { return nil }
        let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
        let certificate = try? handler?.peerCertificate?.toDERBytes()
        guard let facts = certificate.flatMap(CertificateFacts.init(der:)) else {
            return .unreadable
        }
        if let name {
            let names = [name, ServerName.wildcard(of: name)].compactMap(\.self)
            guard facts.dnsNames.contains(where: names.contains) else { return .otherName }
        }
        guard let peerURI, !facts.alternativeNames.contains(peerURI) else { return nil }
        return .otherURI
    }

    private func fail(_ channel: any Channel, _ error: ClientTLSError) {
        guard end() else { return }
        promise.fail(error)
        channel.close(promise: nil)
    }

    /// Returns false if it was over before.
    private func end() -> Bool {
        guard !isOver else { return false }
        isOver = true
        timer?.cancel()
        return true
    }
}

@available(*, unavailable)
extension ClientTLSHandshake: Sendable {}
