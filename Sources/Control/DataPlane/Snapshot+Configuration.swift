import Affinity
package import Configuration
import Crypto
package import Proxy
import Routing

extension Snapshot {
    /// Builds what the data plane uses from a checked configuration.
    ///
    /// - Parameter old: the snapshot in use so far. Unchanged parts are reused, and so is the known health of backends
    ///   that stay.
    /// - Throws: if the names of two backends collide in their hash under this fleet secret. The check of the file
    ///   alone cannot detect that.
    package init(
        _ configuration: Configuration, keys: FleetKeys, succeeding old: Snapshot? = nil
    ) throws(SnapshotDiagnostic) {
        let known = Dictionary(
            (old?.services ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var services: [Service] = []
        var transports = TransportsTLS(of: old)
        for settings in configuration.http.services {
            let service = try Service(
                settings, tls: try transports.tls(of: settings), threads: configuration.replica.threads,
                store: configuration.store, keys: keys, succeeding: known[settings.name])
            services.append(service)
        }
        var isDone = services.map(\.children.isEmpty)
        for index in services.indices { Self.joinHealth(of: index, in: &services, &isDone) }
        let routers = configuration.http.routers
        let offset = configuration.entryPoints.count
        self.init(
            routes: RouteTable(routers.map { $0.placed(secureOffset: offset) }),
            routers: routers.map {
                RouterPlan(
                    name: $0.name, service: $0.service, middlewares: $0.middlewares, isRedirection: $0.isRedirection)
            },
            services: services, cookieKeys: keys.cookies,
            tls: TLSServing.serving(configuration.http.tls, keys: keys, succeeding: old?.tls),
            secureRoutesOffset: offset)
    }

    /// Links the health of a weighted service to that of its children, children first. Nesting never forms a cycle.
    private static func joinHealth(of index: Int, in services: inout [Service], _ isDone: inout [Bool]) {
        guard !isDone[index] else { return }
        isDone[index] = true
        for child in services[index].children { joinHealth(of: child, in: &services, &isDone) }
        services[index].health = HealthTable(
            of: services[index].children.map { (services[$0].health, services[$0].takesNewRequests) })
    }
}

/// Why a valid configuration cannot be served.
package struct SnapshotDiagnostic: Error, CustomStringConvertible {
    package let description: String
}

extension Service {
    fileprivate init(
        _ settings: ServiceSettings, tls: BackendTLS?, threads: Int, store: StoreOptions, keys: FleetKeys,
        succeeding old: Service?
    ) throws(SnapshotDiagnostic) {
        let membership = try Self.membership(settings, keys, succeeding: old?.membership)
        let backends = settings.backends.map {
            Backend(
                name: $0.name, host: $0.host, port: $0.port, tls: $0.isSecure ? tls : nil, isHTTP2: $0.isHTTP2)
        }
        self.init(
            name: settings.name, backends: backends, children: settings.children.map(\.service),
            membership: membership,
            health: Self.health(membership, backends, succeeding: old)
                ?? HealthTable(count: membership.count, judgesAlone: store.redis == nil),
            sticky: settings.sticky.map { sticky in
                Sticky(sticky, of: settings, membership: membership, store: store, keys: keys)
            },
            strategy: settings.strategy,
            clientScope: FingerprintScope(key: keys.fingerprint, service: settings.name, source: .clientAddress),
            passHostHeader: settings.passHostHeader,
            healthCheck: settings.healthCheck.map { check in
                var check = check
                if check.isSecure { check.tls = tls }
                return check
            },
            passiveHealthCheck: settings.passiveHealthCheck,
            unhealthyBackends: Set(settings.backends.filter(\.isUnhealthy).map(\.name)),
            slowStartMilliseconds: settings.slowStart.wholeMilliseconds,
            limits: ServiceLimits(settings, threads: threads), failoverStatuses: settings.failover?.statuses)
    }

    private static func membership(
        _ settings: ServiceSettings, _ keys: FleetKeys, succeeding old: Membership?
    ) throws(SnapshotDiagnostic) -> Membership {
        let backends =
            settings.backends.map {
                (name: $0.name, weight: UInt16(clamping: $0.weight), isDraining: $0.isDraining)
            } + settings.members
        if let old, old.count == backends.count,
            zip(old.backends, backends).allSatisfy({
                $0.name == $1.name && $0.weight == $1.weight && $0.isDraining == $1.isDraining
            })
        {
            return old
        }
        do {
            return try Membership(backends, key: keys.fingerprint)
        } catch {
            throw SnapshotDiagnostic(description: "service \"\(settings.name)\": \(error)")
        }
    }

    /// The known health of backends that stay, matched by name and address. Nil for a new service.
    private static func health(
        _ membership: Membership, _ backends: [Backend], succeeding old: Service?
    ) -> HealthTable? {
        guard let old else { return nil }
        if membership === old.membership, backends == old.backends { return old.health }
        let places = Dictionary(
            old.backends.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
        return HealthTable(succeeding: old.health, kept: backends.map { places[$0] })
    }
}

extension Sticky {
    fileprivate init(
        _ settings: StickySettings, of service: ServiceSettings, membership: Membership, store: StoreOptions,
        keys: FleetKeys
    ) {
        func scope(_ source: SessionSource) -> FingerprintScope {
            FingerprintScope(key: keys.fingerprint, service: service.name, source: source)
        }
        let sources = settings.sources.map { source -> Source in
            switch source {
            case .header(let name, let learns): .header(name.lowercased(), scope(.header(name)), learns: learns)
            case .query(let name): .query(name, scope(.query(name)))
            case .appCookie(let name, let learns): .appCookie(name, scope(.appCookie(name)), learns: learns)
            case .clientIP(let ipv4Prefix, let ipv6Prefix):
                .clientAddress(ipv4Prefix: ipv4Prefix, ipv6Prefix: ipv6Prefix, scope(.clientAddress))
            case .cookie: .cookie(scope(.cookie))
            }
        }
        let idle = settings.idleTimeout.wholeMilliseconds
        let absolute = settings.absoluteTimeout?.wholeMilliseconds
        let affinity = AffinitySettings(
            idleTimeoutMilliseconds: idle, absoluteTimeoutMilliseconds: absolute, onUnavailable: settings.onUnavailable,
            leaseMilliseconds: store.lease.wholeMilliseconds,
            budgetMilliseconds: store.redis?.commandTimeout.wholeMilliseconds ?? 20)
        self.init(
            sources: sources, cookie: settings.cookie,
            settings: affinity,
            renewal: CookieRenewal(
                idleTimeoutMilliseconds: idle, absoluteTimeoutMilliseconds: absolute,
                cookieMaxAge: settings.cookie?.maxAge ?? 0),
            traefikCookies: settings.acceptsTraefikCookie
                ? TraefikCookies(names: service.namesInTraefik, membership: membership) : nil)
    }
}

extension ServiceSettings {
    fileprivate var failover: FailoverSettings? {
        if case .failover(let failover) = targets { failover } else { nil }
    }

    /// The services below this one as members of it. A fallback is used as a draining backend is: while no other can
    /// take a request.
    fileprivate var members: [(name: String, weight: UInt16, isDraining: Bool)] {
        switch targets {
        case .servers: []
        case .services(let children):
            children.map { ($0.reference.name, UInt16(clamping: $0.weight), false) }
        case .failover(let failover): [(failover.main.name, 1, false), (failover.fallback.name, 1, true)]
        }
    }

    /// The names from which Traefik derives its cookies: the URLs of servers, and the names of a weighted service's
    /// children.
    fileprivate var namesInTraefik: [String] { backends.map(\.url) + children.map(\.name) }
}
