import CLimpetTickets
import NIOCore
import NIOSSL
import TLS

/// The library's context for one certificate and one set of options.
final class TLSServerContext: Sendable {
    let options: TLSOptions
    /// The index of the options in ``TLSServing``.
    let optionsIndex: Int
    /// Nil: this context shares no tickets with others.
    let tickets: SessionTickets?
    let library: NIOSSLContext

    /// Nil if the library refuses the certificate or the options.
    ///
    /// - Parameters:
    ///   - offersHTTP2: otherwise clients are not offered what the options say of it.
    ///   - authorities: those of the options.
    ///   - seconds: since 1970.
    init?(
        _ certificate: ServerCertificate, options: TLSOptions, index: Int, offersHTTP2: Bool = true,
        authorities: [NIOSSLCertificate], keys: TicketKeys, now seconds: Int64
    ) {
        var configuration = options.configuration(
            chain: certificate.chain.map { .certificate($0) }, key: certificate.key, authorities: authorities)
        if !offersHTTP2 { configuration.applicationProtocols.removeAll { $0 == "h2" } }
        guard let library = Self.library(&configuration, suitesFitHTTP2: options.suitesFitHTTP2) else { return nil }
        self.library = library
        self.options = options
        optionsIndex = index
        if options.issuesTickets {
            tickets = SessionTickets(library, keys, now: seconds)
        } else {
            // Where the library cannot be told, tickets of this process alone remain.
            _ = SessionTickets.switchOff(of: library)
            tickets = nil
        }
        _ = limpet_handshake_note(library.library)
    }

    /// HTTP/2 prohibits some of the suites that may be configured (RFC 9113, section 9.2.2): a client that gets one of
    /// these speaks HTTP/1.1. Where the library cannot be told, no client is offered HTTP/2.
    private static func library(_ configuration: inout TLSConfiguration, suitesFitHTTP2: Bool) -> NIOSSLContext? {
        guard let library = try? NIOSSLContext(configuration: configuration) else { return nil }
        let protocols = configuration.applicationProtocols
        guard !suitesFitHTTP2, protocols.contains("h2") else { return library }
        let list = protocols.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
        if limpet_protocols_set(library.library, list, list.count) { return library }
        configuration.applicationProtocols.removeAll { $0 == "h2" }
        return try? NIOSSLContext(configuration: configuration)
    }

    func makeHandler() -> NIOSSLServerHandler {
        switch options.clientAuth {
        case .none, .verifyIfGiven, .requireAndVerify: NIOSSLServerHandler(context: library)
        case .request, .requireAny:
            // The certificate is taken as it is: a backend that reads it must judge it.
            NIOSSLServerHandler(context: library) { _, promise in promise.succeed(.certificateVerified) }
        }
    }
}
