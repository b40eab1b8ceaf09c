import Affinity
import Proxy

/// A service as one source defines it.
struct ServiceDraft {
    let name: String
    let value: SettingValue
    let provider: ProviderName
    /// Has the qualified name. The children of a weighted service and of a failover are not filled in.
    var settings: ServiceSettings
    /// Nil: that of the main file.
    var transport: HTTPReference?
    /// The children of a weighted service.
    var weighted: [WeightedChild] = []
    var failover: Failover?

    struct WeightedChild {
        var reference: HTTPReference
        var weight: Int
    }

    struct Failover {
        var main: HTTPReference
        var fallback: HTTPReference
        var statuses: [ClosedRange<Int>]
    }

    /// The services that this one names.
    var children: [HTTPReference] {
        weighted.map(\.reference) + (failover.map { [$0.main, $0.fallback] } ?? [])
    }

    private static let balancerKeys = [
        "sticky", "strategy", "passHostHeader", "healthCheck", "passiveHealthCheck", "slowStart", "serversTransport",
        "maxRequests", "queue",
    ]
    private static let balancerUnavailable = ["responseForwarding"]
    private static let slowStarts = Duration.milliseconds(100)...(.seconds(86400))
    private static let requestsMax = 1_000_000
    private static let queueMax = 100_000
    private static let kinds = ["loadBalancer", "weighted", "failover"]
    private static let unavailable = ["mirroring", "highestRandomWeight", "middlewares"]

    /// Reads a service of a file.
    init(name: String, _ value: SettingValue, _ context: HTTPContext) {
        self.init(name: name, value, of: .file)
        guard let section = value.section() else { return }
        section.check(known: Self.kinds, unavailable: Self.unavailable)
        Self.checkShapes(section)
        let present = Self.kinds.filter { section.present($0) != nil }
        if present.count > 1 { section.diagnostic("cannot be combined with \(present[0])", key: present[1]) }
        guard let kind = present.first else {
            if section.isEmpty {
                section.diagnostic("is missing: a service needs loadBalancer, weighted or failover", key: Self.kinds[0])
            }
            return
        }
        guard let settings = section.section(kind) else { return }
        switch kind {
        case "loadBalancer": readServers(settings, context)
        case "weighted": readWeighted(settings, context)
        default: readFailover(settings)
        }
    }

    private mutating func readServers(_ balancer: SettingSection, _ context: HTTPContext) {
        readBalancer(balancer, ["servers"], context)
        let servers = balancer["servers"]?.list() ?? []
        settings.targets = .servers(BackendSettings.list(servers))
        if servers.isEmpty, balancer["servers"]?.isList ?? true {
            balancer.warning("has no servers: every request to this service is answered with 503")
        }
    }

    /// Reads a service of a container.
    ///
    /// - Parameter value: null if no label mentions it.
    init(name: String, _ value: SettingValue, _ container: DockerContribution, _ context: HTTPContext) {
        self.init(name: name, value, of: .docker)
        guard let section = value.section() else { return }
        section.check(known: ["loadBalancer"], unavailable: Self.unavailable + ["weighted", "failover"])
        Self.checkShapes(section)
        guard let balancer = section.made("loadBalancer", section.present("loadBalancer")).section() else { return }
        readBalancer(balancer, ["server"], context)
        let server = balancer.made("server", balancer.present("server")).section()
        let backend = server.flatMap { BackendSettings($0, of: container) }
        settings.targets = .servers(backend.map { [$0] } ?? [])
    }

    private init(name: String, _ value: SettingValue, of provider: ProviderName) {
        self.name = name
        self.value = value
        self.provider = provider
        settings = ServiceSettings(name: provider.qualified(name), targets: .servers([]))
    }

    /// Whether two containers define the service alike, apart from its servers.
    func says(theSameAs other: ServiceDraft) -> Bool {
        var (own, others) = (settings, other.settings)
        own.targets = .servers([])
        others.targets = .servers([])
        return own == others && transport?.qualified == other.transport?.qualified
    }

    /// Reports a check by gRPC of servers that HTTP/2 is not spoken to.
    func check(with transport: ServersTransportSettings) {
        guard transport.tls.disablesHTTP2, let check = settings.healthCheck, check.mode == .grpc,
            settings.backends.contains(where: { check.isSecure || (check.scheme == nil && $0.isSecure) })
        else { return }
        let section = value.section()?["loadBalancer"]?.section()?["healthCheck"]?.section()
        section?["mode"]?.diagnostic("is grpc, which needs HTTP/2: the service's servers transport disables it")
    }

    private static func checkShapes(_ section: SettingSection) {
        TraefikKnownKeys.check(section, "mirroring", TraefikKnownKeys.mirroring)
        TraefikKnownKeys.check(section, "highestRandomWeight", TraefikKnownKeys.highestRandomWeight)
    }

    private mutating func readBalancer(_ section: SettingSection, _ servers: [String], _ context: HTTPContext) {
        section.check(known: Self.balancerKeys + servers, unavailable: Self.balancerUnavailable)
        TraefikKnownKeys.check(section, "responseForwarding", TraefikKnownKeys.responseForwarding)
        settings = ServiceSettings(
            name: settings.name, targets: .servers([]), sticky: sticky(section, context),
            passHostHeader: section["passHostHeader"]?.bool() ?? true,
            strategy: section["strategy"]?.choice(PlacementStrategy.self, unavailable: ["leasttime"]),
            healthCheck: section.section("healthCheck").flatMap { HealthCheck($0) },
            passiveHealthCheck: section.present("passiveHealthCheck").flatMap(PassiveHealthCheck.init),
            slowStart: section["slowStart"]?.duration(Self.slowStarts) ?? .zero)
        readLimits(section)
        transport = section["serversTransport"].flatMap { ServersTransportDraft.reference($0, from: provider) }
    }

    private mutating func readLimits(_ section: SettingSection) {
        settings.maxRequests = section.limit("maxRequests", atMost: Self.requestsMax)
        guard let queue = section.section("queue") else { return }
        queue.check(known: ["size", "timeout"])
        if section["maxRequests"] == nil { queue.diagnostic("has no effect without maxRequests: set the limit, too") }
        settings.queue.size = queue["size"]?.integer(0...Self.queueMax) ?? settings.queue.size
        settings.queue.timeout =
            queue["timeout"]?.duration(.milliseconds(1) ... .seconds(3600)) ?? settings.queue.timeout
    }

    private mutating func readWeighted(_ section: SettingSection, _ context: HTTPContext) {
        section.check(known: ["services", "sticky", "healthCheck"])
        Self.checkHealth(section)
        settings = ServiceSettings(
            name: settings.name, targets: .services([]), sticky: sticky(section, context))
        guard let list = section.required("services", "name the services that share the requests") else { return }
        var names: [String: Int] = [:]
        for (index, element) in list.list().enumerated() {
            guard let entry = element.section() else { continue }
            entry.check(known: ["name", "weight"])
            let weight = entry["weight"]?.integer(0...65535) ?? 1
            guard let value = entry.required("name", "name a service"),
                let reference = HTTPReference(value, from: provider)
            else { continue }
            if let other = names.updateValue(index, forKey: reference.qualified) {
                value.diagnostic("is the same service as services[\(other)]")
            }
            weighted.append(WeightedChild(reference: reference, weight: weight))
        }
        if list.isList, list.list().isEmpty { list.diagnostic("must name a service") }
    }

    private mutating func readFailover(_ section: SettingSection) {
        section.check(known: TraefikKnownKeys.failover)
        Self.checkHealth(section)
        let statuses = section.section("errors").map(Self.statuses) ?? []
        let main = section.required("service", "name the service that takes the requests")
        let fallback = section.required("fallback", "name the service that takes what the first one cannot take")
        guard let main = main.flatMap({ HTTPReference($0, from: provider) }),
            let other = fallback.flatMap({ HTTPReference($0, from: provider) })
        else { return }
        if main.qualified == other.qualified { other.value.diagnostic("is the same service as service") }
        failover = Failover(main: main, fallback: other, statuses: statuses)
    }

    private static func statuses(_ errors: SettingSection) -> [ClosedRange<Int>] {
        errors.check(known: ["status", "maxRequestBodyBytes"])
        errors["maxRequestBodyBytes"]?.diagnostic(
            "is not supported: a request with a body is sent once. Remove it; the fallback gets requests without a body"
        )
        if errors["status"] == nil { errors.diagnostic("is missing: name statuses, such as 500-504", key: "status") }
        return errors.statuses("status")
    }

    /// `healthCheck: {}`, without which Traefik does not tell a service of the health of those below it. Here every
    /// service knows, so it has no effect.
    private static func checkHealth(_ section: SettingSection) {
        guard let check = section.section("healthCheck"), !check.isEmpty else { return }
        check.diagnostic("must be empty: the services that it names have health checks of their own")
    }

    private func sticky(_ section: SettingSection, _ context: HTTPContext) -> StickySettings? {
        if let value = section.present("sticky"), value.text != nil {
            value.diagnostic(
                value.diagnostics.isLabels
                    ? "must name a session key: write \(value.key).cookie=true"
                    : "must be a mapping, but is a single value: write sticky: { cookie: {} }")
            return nil
        }
        return section.section("sticky").flatMap {
            StickySettings($0, cookieOf: "\(name)@\(provider.rawValue)", lease: context.lease)
        }
    }
}
