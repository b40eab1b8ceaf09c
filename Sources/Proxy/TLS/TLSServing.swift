package import Crypto
import NIOSSL
import Synchronization

/// The TLS of one configuration: which certificate and which options serve a connection. Immutable, shared by all event
/// loops; the contexts of the library are made when they are first needed.
package final class TLSServing: Sendable {
    /// The options of the hosts of one entry point. A host that is not named has the options at index 0.
    package typealias HostOptions = [String: Int]

    package let certificates: [ServerCertificate]
    /// At index 0 the options `default`.
    package let options: [TLSOptions]
    private let index: CertificateIndex
    /// In the order of the entry points; nil: there is no TLS at this one.
    private let hostOptions: [HostOptions?]
    private let authorities: [[NIOSSLCertificate]]
    private let ticketSecret: SymmetricKey
    private let contexts = Mutex<[Place: TLSServerContext]>([:])

    private struct Place: Hashable {
        let certificate: Int
        let options: Int
    }

    /// Whether the keys of session tickets can be set, so that replicas resume each other's sessions.
    package static let sharesTickets =
        (try? NIOSSLContext(configuration: .makeClientConfiguration()))?.library != nil

    /// What serves a connection.
    enum Selection {
        case context(TLSServerContext)
        /// No certificate covers the name.
        case unrecognizedName
        /// The library refuses the options with this certificate.
        case unusable
    }

    /// - Parameters:
    ///   - certificates: in the order of the configuration, the default among them.
    ///   - options: at index 0 the options `default`.
    ///   - ticketSecret: derived from the fleet secret for session tickets alone.
    package init(
        certificates: [ServerCertificate], defaultCertificate: Int?, options: [TLSOptions],
        hostOptions: [HostOptions?], ticketSecret: SymmetricKey
    ) {
        self.certificates = certificates
        self.options = options.isEmpty ? [TLSOptions()] : options
        self.hostOptions = hostOptions
        self.ticketSecret = ticketSecret
        index = CertificateIndex(names: certificates.map(\.facts.hostNames), defaultPlace: defaultCertificate)
        authorities = self.options.map { options in
            options.clientAuthorities.compactMap { try? NIOSSLCertificate(bytes: $0, format: .der) }
        }
    }

    /// - Parameters:
    ///   - serverName: normalized; nil: the client named none.
    ///   - seconds: since 1970.
    func select(_ serverName: String?, entryPoint: Int, now seconds: Int64) -> Selection {
        let options = options(of: serverName, entryPoint: entryPoint)
        switch index.select(serverName, isStrict: self.options[options].sniStrict) {
        case .none: return .unrecognizedName
        case .certificate(let certificate):
            guard let context = context(Place(certificate: certificate, options: options), now: seconds) else {
                return .unusable
            }
            context.tickets?.renew(now: seconds)
            return .context(context)
        }
    }

    /// Whether both serve alike, so that one can take the other's place with the contexts that it has made.
    package func isAlike(_ other: TLSServing) -> Bool {
        certificates == other.certificates && index == other.index && options == other.options
            && hostOptions == other.hostOptions && ticketSecret == other.ticketSecret
    }

    /// Whether there is TLS at an entry point.
    package func serves(_ entryPoint: Int) -> Bool {
        hostOptions.indices.contains(entryPoint) && hostOptions[entryPoint] != nil
    }

    /// Whether a request for this host may be served on a connection that was accepted under these options: those of
    /// the host are the same.
    func permits(_ host: UnsafeRawBufferPointer, on tls: TLSConnectionInfo, entryPoint: Int) -> Bool {
        guard hostOptions.indices.contains(entryPoint), let named = hostOptions[entryPoint] else { return true }
        if named.isEmpty { return options[0] == tls.options }
        let name = ServerName.normalized(Self.withoutPort(host))
        return options[options(of: name, entryPoint: entryPoint)] == tls.options
    }

    private static func withoutPort(_ host: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        let digits = host.reversed().prefix { (0x30...0x39).contains($0) }.count
        let colon = host.count - digits - 1
        return colon >= 0 && host[colon] == UInt8(ascii: ":") ? host.prefix(colon) : host[...]
    }

    /// The index of the options of a host.
    ///
    /// - Parameter host: normalized; nil has the default options.
    package func options(of host: String?, entryPoint: Int) -> Int {
        guard let host, hostOptions.indices.contains(entryPoint), let named = hostOptions[entryPoint], !named.isEmpty
        else { return 0 }
        return named[host] ?? ServerName.wildcard(of: host).flatMap { named[$0] } ?? 0
    }

    private func context(_ place: Place, now seconds: Int64) -> TLSServerContext? {
        contexts.withLock { contexts in
            if let context = contexts[place] { return context }
            let options = options[place.options]
            let context = TLSServerContext(
                certificates[place.certificate], options: options, index: place.options,
                authorities: authorities[place.options],
                keys: TicketKeys(secret: ticketSecret, options: options), now: seconds)
            contexts[place] = context
            return context
        }
    }
}
