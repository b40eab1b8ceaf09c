import CLimpetTickets
package import NIOCore
import NIOSSL
import Synchronization

/// TLS toward servers, from TLS 1.2 on. Used by any number of connections on any threads.
package final class ClientTLS: Sendable {
    package let settings: ClientTLSSettings
    private let context: NIOSSLContext
    private let resumed = Atomic(0)

    /// How many handshakes have resumed a session.
    package var resumptions: Int { resumed.load(ordering: .relaxed) }

    /// Reads the system's authorities, if none are configured: not for an event loop.
    ///
    /// - Parameters:
    ///   - protocols: the application protocols to offer (RFC 7301); none: the extension is not sent.
    ///   - resumesSessions: the next handshake resumes the last session. For connections to one server.
    /// - Throws: an error of the library, whose text is for people.
    package init(_ settings: ClientTLSSettings, protocols: [String] = [], resumesSessions: Bool = false) throws {
        self.settings = settings
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = protocols
        configuration.shutdownTimeout = .seconds(1)
        configuration.renegotiationSupport = .none
        configuration.certificateVerification = settings.isInsecure ? .none : .fullVerification
        if let authorities = settings.authorities {
            configuration.trustRoots = .certificates(
                try authorities.map { try NIOSSLCertificate(bytes: $0, format: .der) })
        }
        if let certificate = settings.certificate {
            configuration.certificateChain = certificate.chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(certificate.key)
        }
        context = try NIOSSLContext(configuration: configuration)
        _ = resumesSessions ? limpet_sessions_keep(context.library) : limpet_handshake_note(context.library)
    }

    /// Makes a connection that has just been opened one with TLS. Must be called on its loop.
    ///
    /// - Parameters:
    ///   - host: the name or address that was connected to.
    ///   - deadline: of the handshake.
    /// - Returns: the application protocol once the server is verified, nil if none was agreed on; ``ClientTLSError``
    ///   if it is not verified, and the channel closes.
    package func begin(on channel: any Channel, host: String, by deadline: NIODeadline) -> EventLoopFuture<String?> {
        let promise = channel.eventLoop.makePromise(of: String?.self)
        // An address is not asked for by name (RFC 6066, section 3); the library verifies it as an address.
        let name = ServerName.normalized((settings.serverName ?? host).utf8)
        let handshake = ClientTLSHandshake(
            promise, name: settings.isInsecure ? nil : name, peerURI: settings.peerURI
        ) { self.resumed.add(1, ordering: .relaxed) }
        do {
            let handler = try NIOSSLClientHandler(context: context, serverHostname: name)
            try channel.pipeline.syncOperations.addHandlers([handler, handshake])
            handshake.begin(channel, by: deadline)
        } catch {
            promise.fail(ClientTLSError.library("\(error)"))
            channel.close(promise: nil)
        }
        // A session that a server takes offence at must not be offered for ever.
        promise.futureResult.whenFailure { [context] _ in limpet_sessions_forget(context.library) }
        return promise.futureResult
    }
}
