import Foundation

/// What the dynamic configuration depends on in addition to its sources.
package struct HTTPContext: Equatable, Sendable {
    /// `Configuration.entryPoints`. Nil: not known, so any name is accepted.
    package var entryPoints: [EntryPointSettings]?
    /// `Configuration.adminTLS`.
    package var adminTLS: EntryPointTLSSettings?
    /// `store.lease`, which is the lower bound for idle timeouts.
    package var lease: Duration
    /// The main file's `serversTransport`: of services that name none.
    package var serversTransport: ServersTransportSettings
    /// The cached contents of the files that middlewares name.
    package var usersFiles: UsersFiles
    /// The cached contents of the files of certificates.
    package var certificateFiles: CertificateFiles
    /// Seconds since 1970: for certificates that end.
    package var now: Int64

    package init(
        entryPoints: [EntryPointSettings]?, lease: Duration, serversTransport: ServersTransportSettings = .init(),
        usersFiles: UsersFiles = UsersFiles(), certificateFiles: CertificateFiles = CertificateFiles(),
        now: Int64? = nil
    ) {
        self.entryPoints = entryPoints
        self.lease = lease
        self.serversTransport = serversTransport
        self.usersFiles = usersFiles
        self.certificateFiles = certificateFiles
        self.now = now ?? Int64(Date().timeIntervalSince1970)
    }

    /// - Parameter entryPointNames: entry points of these names that say nothing else.
    package init(
        entryPointNames: [String]?, lease: Duration, serversTransport: ServersTransportSettings = .init()
    ) {
        self.init(
            entryPoints: entryPointNames?.map {
                EntryPointSettings(name: $0, address: ListenAddress(host: nil, port: 0), trustedPeers: [])
            }, lease: lease, serversTransport: serversTransport)
    }

    package init(
        _ configuration: Configuration, _ usersFiles: UsersFiles = UsersFiles(),
        _ certificateFiles: CertificateFiles = CertificateFiles()
    ) {
        self.init(
            entryPoints: configuration.entryPoints, lease: configuration.store.lease,
            serversTransport: configuration.serversTransport, usersFiles: usersFiles,
            certificateFiles: certificateFiles)
        adminTLS = configuration.adminTLS
    }

    var entryPointNames: [String]? { entryPoints?.map(\.name) }

    /// The indices of the entry points of a router that names none.
    var defaultEntryPoints: Set<Int> {
        let entryPoints = entryPoints ?? []
        let chosen = entryPoints.indices.filter { entryPoints[$0].http.isDefault }
        return Set(chosen.isEmpty ? Array(entryPoints.indices) : chosen)
    }
}
