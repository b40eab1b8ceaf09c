import Affinity
import Crypto
package import Proxy
import Routing

extension Snapshot {
    /// What the data plane serves by, made from a checked configuration.
    ///
    /// - Throws: where the names of two backends meet in their hash under this fleet secret, which the check of the
    ///   file alone cannot see.
    package init(_ configuration: Configuration, keys: FleetKeys) throws(SnapshotMistake) {
        var services: [Service] = []
        for settings in configuration.http.services {
            services.append(try Service(settings, store: configuration.store, keys: keys))
        }
        let routers = configuration.http.routers
        if routers.contains(where: { $0.service == nil }) {
            let nobody = ServiceSettings(name: "", targets: .servers([]))
            services.append(try Service(nobody, store: configuration.store, keys: keys))
        }
        let last = services.count - 1
        self.init(
            routes: RouteTable(routers.map(\.router)), serviceOfRoute: routers.map { $0.service ?? last },
            routerNames: routers.map(\.name),
            services: services, cookieKeys: keys.cookies)
    }
}

/// Why a configuration that reads well cannot be served.
package struct SnapshotMistake: Error, CustomStringConvertible {
    package let description: String
}

extension Service {
    fileprivate init(_ settings: ServiceSettings, store: StoreOptions, keys: FleetKeys) throws(SnapshotMistake) {
        let membership: Membership
        do {
            membership = try Membership(
                settings.backends.map { ($0.name, UInt16(clamping: $0.weight), $0.isDraining) }, key: keys.fingerprint)
        } catch {
            throw SnapshotMistake(description: "service \"\(settings.name)\": \(error)")
        }
        self.init(
            name: settings.name,
            backends: settings.backends.map { Backend(name: $0.name, host: $0.host, port: $0.port) },
            membership: membership,
            health: HealthTable(count: membership.count, judgesAlone: store.redis == nil),
            sticky: settings.sticky.map { Sticky($0, service: settings.name, store: store, keys: keys) },
            passHostHeader: settings.passHostHeader)
    }
}

extension Sticky {
    fileprivate init(_ settings: StickySettings, service: String, store: StoreOptions, keys: FleetKeys) {
        func scope(_ source: SessionSource) -> FingerprintScope {
            FingerprintScope(key: keys.fingerprint, service: service, source: source)
        }
        let sources = settings.sources.map { source -> Source in
            switch source {
            case .header(let name, _): .header(name.lowercased(), scope(.header(name)))
            case .query(let name): .query(name, scope(.query(name)))
            case .appCookie(let name, _): .appCookie(name, scope(.appCookie(name)))
            case .clientIP(let ipv4Prefix, let ipv6Prefix):
                .clientAddress(ipv4Prefix: ipv4Prefix, ipv6Prefix: ipv6Prefix, scope(.clientAddress))
            case .cookie: .cookie(scope(.cookie))
            }
        }
        let idle = settings.idleTimeout.wholeMilliseconds
        let absolute = settings.absoluteTimeout?.wholeMilliseconds
        let onUnavailable: AffinitySettings.Unavailability =
            switch settings.onUnavailable {
            case .move: .move
            case .detour: .detour
            case .reject: .reject
            }
        let affinity = AffinitySettings(
            idleTimeout: idle, absoluteTimeout: absolute, onUnavailable: onUnavailable,
            lease: store.lease.wholeMilliseconds,
            budget: store.redis?.commandTimeout.wholeMilliseconds ?? 20)
        self.init(
            sources: sources, cookie: settings.cookie.map(CookieAttributes.init),
            settings: affinity, renewal: CookieRenewal(idleTimeout: idle, absoluteTimeout: absolute))
    }
}

extension CookieAttributes {
    fileprivate init(_ settings: CookieSettings) {
        let sameSite: SameSite? =
            switch settings.sameSite {
            case .some(.none): SameSite.none
            case .some(.lax): .lax
            case .some(.strict): .strict
            case nil: nil
            }
        self.init(
            name: settings.name, secure: settings.isSecure, httpOnly: settings.isHTTPOnly, sameSite: sameSite,
            maxAge: settings.maxAgeSeconds, path: settings.path, domain: settings.domain ?? "")
    }
}

extension Duration {
    /// Rounded down; saturates.
    var wholeMilliseconds: Int64 {
        let (seconds, overflow) = components.seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? .max : seconds + components.attoseconds / 1_000_000_000_000_000
    }
}
