package import Proxy
package import TLS

/// The certificates and rules of TLS: `tls` of all files together, and what routers make of it.
package struct TLSSettings: Equatable, Sendable {
    /// A certificate with its place, for people: `tls.yml:3`.
    package struct Certificate: Equatable, Sendable {
        package var certificate: ServerCertificate
        package var origin: String
    }

    /// In the order of the sources; the default one is the last.
    package var certificates: [Certificate] = []
    /// An index into `certificates`.
    package var defaultCertificate: Int?
    /// The options `default` are at index 0.
    package var options = [TLSOptions()]
    /// For each entry point, the options of its hosts, as indices into `options`. Nil: neither the entry point nor a
    /// router of it has TLS.
    package var hostOptions: [TLSServing.HostOptions?] = []
    /// The options of the admin listener, whatever name a client asks for: an index into `options`. Nil: it has no TLS.
    package var adminOptions: Int?

    package init() {}

    /// The certificate that covers a name, without the default one's role.
    func covers(_ host: String) -> Bool {
        let names = certificates.flatMap(\.certificate.facts.hostNames)
        return names.contains(host) || ServerName.wildcard(of: host).map(names.contains) ?? false
    }
}

/// What an entry point adds to its routers: `entryPoints.<name>.http`.
package struct EntryPointHTTPSettings: Equatable, Sendable {
    /// Nil: TLS is what each router says.
    package var tls: EntryPointTLSSettings?
    /// Qualified names, in the order in which they are applied, before those of each router.
    package var middlewares: [String] = []
    package var redirection: EntryPointRedirection?
    /// Whether routers that name no entry points are at this one; if no entry point says so, they are at all.
    package var isDefault = false

    package init() {}
}

/// TLS for all of an entry point: `entryPoints.<name>.http.tls`.
package struct EntryPointTLSSettings: Equatable, Sendable {
    /// The name of the options of all hosts for which no router names others; nil: the default ones.
    package var options: String?
    package var namesResolver = false
}

/// Every request of an entry point is redirected: `entryPoints.<name>.http.redirections.entryPoint`.
package struct EntryPointRedirection: Equatable, Sendable {
    package var redirect: SchemeRedirect
    package var priority: Int
    /// The name of the entry point that it leads to, or `:port`.
    package var target: String
}
