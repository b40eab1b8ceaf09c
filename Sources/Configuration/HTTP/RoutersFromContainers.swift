import Proxy

/// The drafts of all containers, merged.
///
/// A container with an error contributes nothing. If containers contradict each other, the first one counts: containers
/// that keep running come before those that are stopping, then the order is that of creation.
struct RoutersFromContainers {
    private(set) var drafts: [HTTPDraft] = []
    /// One per container, in order of precedence.
    private(set) var diagnostics: [Diagnostics] = []

    private let cookiesAbove: AncestorCookies
    private var services: [String: ServiceDraft] = [:]
    private var routers: [String: RouterDraft] = [:]
    private var middlewares: [String: MiddlewareDraft] = [:]
    private var transports: [String: ServersTransportDraft] = [:]

    /// - Parameter files: the drafts of files, which no container can invalidate.
    init(_ containers: [DockerContribution], besides files: [HTTPDraft], _ context: HTTPContext) {
        cookiesAbove = AncestorCookies(files)
        let ordered = containers.sorted {
            ($0.isDraining ? 1 : 0, $0.created, $0.containerID) < ($1.isDraining ? 1 : 0, $1.created, $1.containerID)
        }
        var isOtherProtocolNamed = false
        for container in ordered {
            let list = Diagnostics(.container(container.containerName))
            let labels = LabelTree(container.labels, list)
            if let label = labels.otherProtocol, !isOtherProtocolNamed {
                isOtherProtocolNamed = true
                list.add(
                    "has no effect, in this or any other container: TCP, UDP and TLS are not available in this version",
                    at: nil, key: label, severity: .warning)
            }
            for fault in DockerLabels(container.labels).faults { list.add(fault.message, at: nil, key: fault.label) }
            let draft = HTTPDraft(container, labels, list, context)
            diagnostics.append(list)
            if let draft, !list.hasErrors { add(draft) }
        }
        var all = HTTPDraft(.docker, Diagnostics(.container("")))
        all.services = Array(services.values)
        all.routers = Array(routers.values)
        all.middlewares = Array(middlewares.values)
        all.transports = Array(transports.values)
        drafts = [all]
    }

    private mutating func add(_ draft: HTTPDraft) {
        guard !sharesCookies(draft), !contradicts(draft) else { return }
        for router in draft.routers where routers[router.name] == nil { routers[router.name] = router }
        for middleware in draft.middlewares where middlewares[middleware.name] == nil {
            middlewares[middleware.name] = middleware
        }
        for transport in draft.transports where transports[transport.name] == nil {
            transports[transport.name] = transport
        }
        for service in draft.services { add(service) }
    }

    private mutating func add(_ service: ServiceDraft) {
        guard let first = services[service.name] else {
            services[service.name] = service
            return
        }
        var backends = first.settings.backends
        for backend in service.settings.backends {
            if backends.contains(where: { $0.url == backend.url }) {
                service.value.warning("has the server \(backend.url), as another container does: it is used once")
            } else {
                backends.append(backend)
            }
        }
        services[service.name]?.settings.targets = .servers(backends)
    }

    /// Reports a cookie that this container shares with a weighted service above it, defined in a file.
    private func sharesCookies(_ draft: HTTPDraft) -> Bool {
        for service in draft.services {
            guard let cookie = service.settings.sticky?.cookie?.name,
                let holder = cookiesAbove.holder(of: cookie, above: service.settings.name)
            else { continue }
            service.value.diagnostic(
                "has the same cookie \(cookie) as the weighted service \(holder) above it: give each level its own cookie name"
            )
        }
        return draft.diagnostics.hasErrors
    }

    /// Reports where this container contradicts another container, which takes precedence.
    private func contradicts(_ draft: HTTPDraft) -> Bool {
        for service in draft.services {
            guard let other = services[service.name], !service.says(theSameAs: other) else { continue }
            report(service.value, "service \(service.name)", other.value)
        }
        for router in draft.routers {
            guard let other = routers[router.name], !router.says(theSameAs: other) else { continue }
            report(router.value, "router \(router.name)", other.value)
        }
        for middleware in draft.middlewares {
            guard let other = middlewares[middleware.name], middleware.middleware != other.middleware else { continue }
            report(middleware.value, "middleware \(middleware.name)", other.value)
        }
        for transport in draft.transports {
            guard let other = transports[transport.name], transport.settings != other.settings else { continue }
            report(transport.value, "servers transport \(transport.name)", other.value)
        }
        return draft.diagnostics.hasErrors
    }

    private func report(_ value: SettingValue, _ what: String, _ other: SettingValue) {
        value.diagnostic(
            "conflicts with \(other.diagnostics.source)'s definition of \(what): this container is ignored")
    }
}

extension HTTPDraft {
    /// The draft from a container's labels, completed as Traefik does: a service for the container, and a router with
    /// the default rule. Nil if the labels define only other protocols.
    init?(
        _ container: DockerContribution, _ labels: LabelTree, _ diagnostics: Diagnostics, _ context: HTTPContext
    ) {
        self.init(.docker, diagnostics)
        if labels.http == nil, labels.otherProtocol != nil { return nil }
        let made = SettingValue(
            node: SettingNode(.null), key: labels.http?.key ?? "traefik.http", keyPlace: nil, diagnostics: diagnostics)
        guard let section = (labels.http ?? made).section() else { return nil }
        section.check(known: ["routers", "services", "middlewares", "serversTransports"])
        transports = ServersTransportDraft.all(section, of: .docker, context)
        middlewares = Self.middlewares(section, of: .docker, context)
        let (serviceSection, routerSection) = (section.section("services"), section.section("routers"))
        var named = Self.named(serviceSection)
        if named.isEmpty, Self.needsService(container, routerSection) {
            named = [Self.made(container.defaultName, in: section, "services")]
        }
        services = named.map { ServiceDraft(name: $0, $1, container, context) }
        var routed = Self.named(routerSection)
        if routed.isEmpty { routed = [Self.made(container.defaultName, in: section, "routers")] }
        let defaults = RouterDraft.Defaults(rule: container.defaultRule, services: services.map(\.name))
        routers = routed.compactMap { RouterDraft(name: $0, $1, of: .docker, context, defaults: defaults) }
    }

    /// Whether the container's default service is created. If it may have no port, only if a router needs it.
    private static func needsService(_ container: DockerContribution, _ routers: SettingSection?) -> Bool {
        guard container.exposedPorts.isEmpty, container.host != nil, let routers, !routers.isEmpty else { return true }
        return routers.entries.contains { _, value in
            guard value.isMapping, let section = value.section() else { return true }
            return section["service"] == nil
        }
    }

    private static func made(
        _ name: String, in section: SettingSection, _ key: String
    ) -> (name: String, value: SettingValue) {
        let kind = section.made(key, section.present(key))
        guard let inner = kind.section() else { return (name, kind) }
        return (name, inner.empty(named: name))
    }
}
