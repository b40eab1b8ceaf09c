package import Crypto
import NIOSSL
import Synchronization
package import TLS

/// The TLS of one configuration: which certificate and which options serve a connection. Immutable, shared by all event
/// loops; the contexts of the library are made when they are first needed.
package final class TLSServing: Sendable {
    /// The options of one entry point, as indices.
    package struct HostOptions: Equatable, Sendable {
        /// Of every host that is not named, and of clients that ask for none.
        package var standard: Int
        /// By host: names, and wildcards as `*.example.com`.
        package var named: [String: Int]

        package init(standard: Int = 0, named: [String: Int] = [:]) {
            self.standard = standard
            self.named = named
        }

        /// - Parameter host: normalized; nil: none, or one that is not a name of DNS.
        fileprivate func options(of host: String?) -> Int {
            guard let host, !named.isEmpty else { return standard }
            return named[host] ?? ServerName.wildcard(of: host).flatMap { named[$0] } ?? standard
        }
    }

    package let certificates: [ServerCertificate]
    /// At index 0 the options `default`.
    package let options: [TLSOptions]
    private let index: CertificateIndex
    /// In the order of the entry points; nil: there is no TLS at this one.
    private let hostOptions: [HostOptions?]
    /// The index of the options of the admin listener; nil: there is no TLS at it.
    private let adminOptions: Int?
    private let authorities: [[NIOSSLCertificate]]
    private let ticketSecret: SymmetricKey
    private let contexts = Mutex<[ContextKey: TLSServerContext]>([:])

    package struct Pair: Hashable, Sendable {
        package let certificate: Int
        package let options: Int
    }

    private struct ContextKey: Hashable {
        let pair: Pair
        let offersHTTP2: Bool
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
        hostOptions: [HostOptions?], adminOptions: Int? = nil, ticketSecret: SymmetricKey
    ) {
        self.certificates = certificates
        self.options = options.isEmpty ? [TLSOptions()] : options
        self.hostOptions = hostOptions
        self.adminOptions = adminOptions
        self.ticketSecret = ticketSecret
        index = CertificateIndex(names: certificates.map(\.facts.hostNames), defaultPlace: defaultCertificate)
        authorities = self.options.map { options in
            options.clientAuthorities.compactMap { try? NIOSSLCertificate(bytes: $0, format: .der) }
        }
    }

    /// - Parameters:
    ///   - serverName: normalized; nil: the client named none.
    ///   - seconds: since 1970.
    func select(
        _ serverName: String?, entryPoint: Int, offersHTTP2: Bool = true, now seconds: Int64
    ) -> Selection {
        let options = options(of: serverName, entryPoint: entryPoint)
        return select(serverName, options: options, offersHTTP2: offersHTTP2, now: seconds)
    }

    /// What serves a connection of the admin listener: by the same certificates, by its own options.
    func selectForAdmin(_ serverName: String?, now seconds: Int64) -> Selection {
        guard let adminOptions else { return .unusable }
        return select(serverName, options: adminOptions, offersHTTP2: false, now: seconds)
    }

    private func select(
        _ serverName: String?, options: Int, offersHTTP2: Bool, now seconds: Int64
    ) -> Selection {
        switch index.select(serverName, isStrict: self.options[options].sniStrict) {
        case .none: return .unrecognizedName
        case .certificate(let certificate):
            let key = ContextKey(pair: Pair(certificate: certificate, options: options), offersHTTP2: offersHTTP2)
            guard let context = context(key, now: seconds) else { return .unusable }
            context.tickets?.renew(now: seconds)
            return .context(context)
        }
    }

    /// The pairs of a certificate and options that connections may have, as indices: at an entry point, by the names of
    /// certificates and the hosts of routers, and at the admin listener.
    package var pairs: Set<Pair> {
        var pairs: Set<Pair> = []
        func add(_ name: String?, _ options: Int) {
            guard case .certificate(let place) = index.select(name, isStrict: self.options[options].sniStrict) else {
                return
            }
            pairs.insert(Pair(certificate: place, options: options))
        }
        let names = Set(certificates.flatMap(\.facts.hostNames)).map(Optional.some) + [nil]
        for (entryPoint, hosts) in hostOptions.enumerated() {
            guard let hosts else { continue }
            for name in names + hosts.named.keys.map(Optional.some) {
                add(name, options(of: name, entryPoint: entryPoint))
            }
        }
        if let adminOptions { for name in names { add(name, adminOptions) } }
        return pairs
    }

    /// The connection of a client that asks for a host, and does whatever is demanded of it; nil: no certificate covers
    /// the name.
    func assumedConnection(_ host: String, entryPoint: Int) -> TLSConnectionInfo? {
        let name = ServerName.normalized(host.utf8)
        let options = options[options(of: name, entryPoint: entryPoint)]
        guard index.select(name, isStrict: options.sniStrict) != .none else { return nil }
        return TLSConnectionInfo(
            version: options.maxVersion, suite: "", serverName: name, isResumed: false, isHTTP2: false,
            options: options, clientCertificate: nil)
    }

    /// Whether both serve alike, so that one can take the other's place with the contexts that it has made.
    package func isAlike(_ other: TLSServing) -> Bool {
        certificates == other.certificates && index == other.index && options == other.options
            && hostOptions == other.hostOptions && adminOptions == other.adminOptions
            && ticketSecret == other.ticketSecret
    }

    /// Whether there is TLS at an entry point.
    package func serves(_ entryPoint: Int) -> Bool {
        hostOptions.indices.contains(entryPoint) && hostOptions[entryPoint] != nil
    }

    /// Whether a request for this host may be served on a connection that was accepted under these options: those of
    /// the host are the same.
    func permits(_ host: UnsafeRawBufferPointer, on tls: TLSConnectionInfo, entryPoint: Int) -> Bool {
        guard hostOptions.indices.contains(entryPoint), let hosts = hostOptions[entryPoint] else { return true }
        if hosts.named.isEmpty { return options[hosts.standard] == tls.options }
        return options[hosts.options(of: ServerName.normalized(Self.withoutPort(host)))] == tls.options
    }

    private static func withoutPort(_ host: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        let digits = host.reversed().prefix { (0x30...0x39).contains($0) }.count
        let colon = host.count - digits - 1
        return colon >= 0 && host[colon] == UInt8(ascii: ":") ? host.prefix(colon) : host[...]
    }

    /// The index of the options of a host.
    ///
    /// - Parameter host: normalized; nil: none.
    private func options(of host: String?, entryPoint: Int) -> Int {
        hostOptions.indices.contains(entryPoint) ? hostOptions[entryPoint]?.options(of: host) ?? 0 : 0
    }

    private func context(_ key: ContextKey, now seconds: Int64) -> TLSServerContext? {
        contexts.withLock { contexts in
            if let context = contexts[key] { return context }
            let place = key.pair
            let options = options[place.options]
            let context = TLSServerContext(
                certificates[place.certificate], options: options, index: place.options,
                offersHTTP2: key.offersHTTP2, authorities: authorities[place.options],
                keys: TicketKeys(secret: ticketSecret, options: options), now: seconds)
            contexts[key] = context
            return context
        }
    }
}
