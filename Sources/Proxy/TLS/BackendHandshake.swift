import CLimpetTickets
import NIOCore
import NIOSSL
import NIOTLS

/// Waits behind the TLS handler of a connection to a backend for the end of the handshake, and leaves the pipeline.
final class BackendHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<any Channel>
    private let name: String?
    private let peerURI: String?
    private var timer: Scheduled<Void>?
    private var isOver = false

    /// - Parameters:
    ///   - name: the normalized name that the certificate must have. The library would be content with a certificate
    ///     for the address that was connected to.
    ///   - peerURI: a URI that the certificate must have, too.
    init(_ promise: EventLoopPromise<any Channel>, name: String?, peerURI: String?) {
        self.promise = promise
        self.name = name
        self.peerURI = peerURI
    }

    /// The first message is on its way: reads the answer.
    func begin(_ channel: any Channel, by deadline: NIODeadline) {
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        timer = channel.eventLoop.scheduleTask(deadline: deadline) {
            bound.value.fail(channel, .connectTimeout, "the TLS handshake timed out")
        }
        channel.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        _ = limpet_handshake_take()
        if let fault = fault(of: context) { return fail(context.channel, .certificateRefused, fault) }
        guard end() else { return }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        promise.succeed(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let facts = limpet_handshake_take()
        let (reason, detail) = Self.reason(error, alertSent: Int(facts.alert_sent), received: Int(facts.alert_received))
        fail(context.channel, reason, detail)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(context.channel, .handshakeFailed, "the connection ended during the TLS handshake")
        context.fireChannelInactive()
    }

    /// What is wrong with the names in a certificate that the library has verified; nil: nothing.
    private func fault(of context: ChannelHandlerContext) -> String? {
        guard name != nil || peerURI != nil else { return nil }
        let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
        let certificate = try? handler?.peerCertificate?.toDERBytes()
        guard let facts = certificate.flatMap(CertificateFacts.init(der:)) else {
            return "the certificate cannot be read"
        }
        if let name {
            let names = [name, ServerName.wildcard(of: name)].compactMap(\.self)
            guard facts.dnsNames.contains(where: names.contains) else { return Self.otherName }
        }
        guard let peerURI, !facts.alternativeNames.contains(peerURI) else { return nil }
        return "the certificate does not have the URI of peerCertURI"
    }

    private static let otherName = "the certificate is for another name"

    private func fail(_ channel: any Channel, _ reason: Reason, _ detail: String) {
        guard end() else { return }
        promise.fail(BackendTLSError(reason: reason, detail: detail))
        channel.close(promise: nil)
    }

    /// Returns false if it was over before.
    private func end() -> Bool {
        guard !isOver else { return false }
        isOver = true
        timer?.cancel()
        return true
    }

    /// What the alert that we sent says of the backend's certificate (RFC 8446, section 6.2).
    private static func reason(_ error: any Error, alertSent: Int, received: Int) -> (Reason, String) {
        if error is NIOSSLExtraError { return (.certificateRefused, otherName) }
        switch alertSent {
        case 45: return (.certificateRefused, "the certificate has expired, or is not valid yet")
        case 48: return (.certificateRefused, "the certificate is of an unknown authority")
        case 42...46: return (.certificateRefused, "the certificate is not valid")
        default: break
        }
        if received >= 0 { return (.handshakeFailed, "the backend sent the alert \(received)") }
        return (.handshakeFailed, "the TLS handshake failed")
    }
}

@available(*, unavailable)
extension BackendHandshake: Sendable {}
