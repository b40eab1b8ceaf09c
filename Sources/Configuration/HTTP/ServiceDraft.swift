import Affinity
import Proxy

/// A service as one source defines it.
struct ServiceDraft {
    let name: String
    let value: SettingValue
    let provider: ProviderName
    /// Has the qualified name. For a weighted service, its children are not filled in.
    var settings: ServiceSettings
    /// Nil: that of the main file.
    var transport: HTTPReference?
    /// The children of a weighted service.
    var children: [Child] = []

    struct Child {
        var reference: HTTPReference
        var weight: Int
    }

    private static let balancerKeys = [
        "sticky", "strategy", "passHostHeader", "healthCheck", "passiveHealthCheck", "slowStart", "serversTransport",
        "maxRequests", "queue",
    ]
    private static let balancerUnavailable = ["responseForwarding"]
    private static let slowStarts = Duration.milliseconds(100)...(.seconds(86400))
    private static let requestsMax = 1_000_000
    private static let queueMax = 100_000
    private static let unavailable = ["mirroring", "failover", "highestRandomWeight", "middlewares"]

    /// Reads a service of a file.
    init(name: String, _ value: SettingValue, _ context: HTTPContext) {
        self.init(name: name, value, of: .file)
        guard let section = value.section() else { return }
        section.check(known: ["loadBalancer", "weighted"], unavailable: Self.unavailable)
        Self.checkShapes(section)
        let (balancer, weighted) = (section.present("loadBalancer"), section.present("weighted"))
        if balancer != nil, weighted != nil {
            section.diagnostic("cannot be combined with loadBalancer", key: "weighted")
        }
        if let balancer = balancer?.section() {
            readBalancer(balancer, ["servers"], context)
            let servers = balancer["servers"]?.list() ?? []
            settings.targets = .servers(BackendSettings.list(servers))
            if servers.isEmpty, balancer["servers"]?.isList ?? true {
                balancer.warning("has no servers: every request to this service is answered with 503")
            }
        } else if let weighted = weighted?.section() {
            readWeighted(weighted, context)
        } else if section.isEmpty {
            section.diagnostic("is missing: a service needs loadBalancer or weighted", key: "loadBalancer")
        }
    }

    /// Reads a service of a container.
    ///
    /// - Parameter value: null if no label mentions it.
    init(name: String, _ value: SettingValue, _ container: DockerContribution, _ context: HTTPContext) {
        self.init(name: name, value, of: .docker)
        guard let section = value.section() else { return }
        section.check(known: ["loadBalancer"], unavailable: Self.unavailable + ["weighted"])
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

    private static func checkShapes(_ section: SettingSection) {
        TraefikKnownKeys.check(section, "failover", TraefikKnownKeys.failover)
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
        section.check(known: ["services", "sticky"], unavailable: ["healthCheck"])
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
            children.append(Child(reference: reference, weight: weight))
        }
        if list.isList, list.list().isEmpty { list.diagnostic("must name a service") }
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
