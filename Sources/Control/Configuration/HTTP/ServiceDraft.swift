/// A service as one source says it.
struct ServiceDraft {
    let name: String
    let value: SettingValue
    let provider: ProviderName
    /// With its qualified name; of a weighted service without its services.
    var settings: ServiceSettings
    /// Those of a weighted service.
    var children: [Child] = []

    struct Child {
        var reference: HTTPReference
        var weight: Int
    }

    private static let keys = ["loadBalancer", "weighted"]
    private static let unavailable = ["mirroring", "failover", "highestRandomWeight", "middlewares"]

    init(name: String, _ value: SettingValue, of provider: ProviderName, _ context: HTTPContext) {
        self.name = name
        self.value = value
        self.provider = provider
        settings = ServiceSettings(name: provider.qualified(name), targets: .servers([]))
        guard let section = value.section() else { return }
        section.check(known: Self.keys, unavailable: Self.unavailable)
        let (balancer, weighted) = (section.present("loadBalancer"), section.present("weighted"))
        if balancer != nil, weighted != nil {
            section.mistake("has a loadBalancer already, and a service has one of the two", key: "weighted")
        }
        if let balancer = balancer?.section() {
            readBalancer(balancer, context)
        } else if let weighted = weighted?.section() {
            readWeighted(weighted, context)
        } else if section.isEmpty {
            section.mistake("is missing: a service has a loadBalancer, or is weighted", key: "loadBalancer")
        }
    }

    private mutating func readBalancer(_ section: SettingSection, _ context: HTTPContext) {
        section.check(
            known: ["sticky", "strategy", "servers", "passHostHeader"],
            unavailable: ["healthCheck", "passiveHealthCheck", "responseForwarding", "serversTransport"])
        let strategy = section["strategy"]?.choice(ServiceSettings.Strategy.self, unavailable: ["leasttime"])
        settings = ServiceSettings(
            name: settings.name, targets: .servers(BackendSettings.list(section["servers"])),
            sticky: sticky(section, context), passHostHeader: section["passHostHeader"]?.bool() ?? true,
            strategy: strategy)
        if section["servers"]?.list().isEmpty ?? true {
            section.warning("has no servers: every request of this service will be answered with 503")
        }
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
                value.mistake("is the service of services[\(other)] already")
            }
            children.append(Child(reference: reference, weight: weight))
        }
        if list.isList, list.list().isEmpty { list.mistake("must name a service") }
    }

    private func sticky(_ section: SettingSection, _ context: HTTPContext) -> StickySettings? {
        section.section("sticky").flatMap {
            StickySettings($0, cookieOf: "\(name)@\(provider.rawValue)", lease: context.lease)
        }
    }
}
