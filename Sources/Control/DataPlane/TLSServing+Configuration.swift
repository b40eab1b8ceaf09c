import Configuration
import Proxy
import Routing
import Synchronization

extension TLSServing {
    /// Nil if neither an entry point nor the admin listener has TLS.
    ///
    /// - Parameter old: the one in use so far, which is returned if nothing has changed.
    static func serving(_ settings: TLSSettings, keys: FleetKeys, succeeding old: TLSServing?) -> TLSServing? {
        guard settings.adminOptions != nil || settings.hostOptions.contains(where: { $0 != nil }) else { return nil }
        let made = TLSServing(
            certificates: settings.certificates.map(\.certificate), defaultCertificate: settings.defaultCertificate,
            options: settings.options, hostOptions: settings.hostOptions, adminOptions: settings.adminOptions,
            ticketSecret: keys.tickets)
        guard let old, old.isAlike(made) else { return made }
        return old
    }
}

extension DataPlane {
    /// The TLS of the configuration in use.
    var tls: TLSServing? { current.withLock { $0.snapshot.tls } }

    /// Whether there is TLS at an entry point or the admin listener, by the configuration in use, and its sessions
    /// cannot be resumed by other replicas.
    var keepsTicketsToItself: Bool { current.withLock { $0.snapshot.tls != nil } && !TLSServing.sharesTickets }
}

extension RouterSettings {
    /// The router as the route table takes it: TLS at an entry point is another place than the entry point without.
    ///
    /// - Parameter secureOffset: the number of entry points.
    func placed(secureOffset: Int) -> Router {
        var router = router
        router.entryPoints = Set(
            router.entryPoints.map { secureEntryPoints.contains($0) ? $0 + secureOffset : $0 })
        return router
    }
}
