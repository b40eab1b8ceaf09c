import Proxy
import Routing

/// Resolves the references between all drafts.
///
/// Errors are recorded where the reference is. An object that a container or another provider should define may still
/// appear, so its router is kept and answers 503.
struct HTTPLinking {
    private let routers: [RouterDraft]
    /// Sorted by qualified name.
    private var services: [ServiceDraft]
    private let middlewares: [String: MiddlewareDraft]
    private let transports: [String: ServersTransportDraft]
    private let defaultTransport: ServersTransportSettings
    private var placeholders: [ServiceSettings] = []
    private var indices: [String: Int] = [:]
    private var missing = 0
    private let entryPoints: [EntryPointSettings]
    /// Filled in by ``configuration()``.
    private(set) var secureRouters: [TLSLinking.SecureRouter] = []

    private static let answers503 = "the router answers 503 until it is"
    /// Limits the search for the name that was probably intended, which takes time.
    private static let adviceMax = 50

    /// - Parameter drafts: within one provider, no two objects of a kind have the same name, except in files.
    init(_ drafts: [HTTPDraft], _ context: HTTPContext) {
        entryPoints = context.entryPoints ?? []
        defaultTransport = context.serversTransport
        routers = Self.unique(drafts.flatMap(\.routers), \.value) { $0.provider.qualified($0.name) }
        services = Self.unique(drafts.flatMap(\.services), \.value, name: \.settings.name)
        let unique = Self.unique(drafts.flatMap(\.middlewares), \.value) { $0.provider.qualified($0.name) }
        middlewares = Dictionary(
            unique.map { ($0.provider.qualified($0.name), $0) }, uniquingKeysWith: { first, _ in first })
        let named = Self.unique(drafts.flatMap(\.transports), \.value) { $0.provider.qualified($0.name) }
        transports = Dictionary(
            named.map { ($0.provider.qualified($0.name), $0) }, uniquingKeysWith: { first, _ in first })
        for (index, service) in services.enumerated() { indices[service.settings.name] = index }
    }

    /// Sorted by name. A duplicate name is reported at its second definition; the first one counts.
    private static func unique<Draft>(
        _ drafts: [Draft], _ value: (Draft) -> SettingValue, name: (Draft) -> String
    ) -> [Draft] {
        var first: [String: SettingValue] = [:]
        var named: [(name: String, draft: Draft)] = []
        for draft in drafts {
            let (name, value) = (name(draft), value(draft))
            if let other = first[name] {
                value.diagnostics.add("is already defined at \(other.origin)", at: value.keyPlace, key: value.key)
            } else {
                first[name] = value
                named.append((name, draft))
            }
        }
        return named.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }.map(\.draft)
    }

    mutating func configuration() -> HTTPConfiguration {
        var settings = services.map(\.settings)
        for (index, service) in services.enumerated() {
            if let targets = targets(of: service) { settings[index].targets = targets }
        }
        for (index, service) in services.enumerated() {
            let transport = transport(of: service) ?? defaultTransport
            settings[index].transport = transport
            service.check(with: transport)
        }
        for fault in ServiceNesting(settings).faults { services[fault.service].value.diagnostic(fault.message) }
        var linked: [RouterSettings] = []
        for draft in routers { linked += router(draft) }
        linked += entryPoints.indices.compactMap(redirection)
        linked.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return sorted(HTTPConfiguration(routers: linked, services: settings + placeholders))
    }

    /// Nil for a service with servers, and after an error.
    private mutating func targets(of service: ServiceDraft) -> ServiceSettings.Targets? {
        if let failover = service.failover {
            let main = child(failover.main, else: "the fallback takes its requests until it is")
            let fallback = child(failover.fallback, else: "nothing takes its place until it is")
            guard let main, let fallback else { return nil }
            return .failover(FailoverSettings(main: main, fallback: fallback, statuses: failover.statuses))
        }
        guard !service.weighted.isEmpty else { return nil }
        return .services(
            service.weighted.compactMap { child in
                self.child(child.reference, else: "the other services take its share until it is").map {
                    WeightedService(reference: $0, weight: child.weight)
                }
            })
    }

    private mutating func child(_ reference: HTTPReference, else consequence: String) -> ServiceReference? {
        if let index = index(of: reference, else: consequence) {
            return ServiceReference(service: index, name: reference.text)
        }
        guard !reference.isOwn else { return nil }
        // Kept under its name, so that sessions are not moved for good while a service is missing for a moment.
        let index = services.count + placeholders.count
        placeholders.append(ServiceSettings(name: reference.qualified, targets: .servers([])))
        indices[reference.qualified] = index
        return ServiceReference(service: index, name: reference.text)
    }

    private mutating func transport(of service: ServiceDraft) -> ServersTransportSettings? {
        guard let reference = service.transport else { return nil }
        if let transport = transports[reference.qualified] { return transport.settings }
        let names = transports.values.filter { $0.provider == reference.provider }.map(\.name)
        report(
            reference, is: "servers transport", among: names,
            else: "\(ServersTransportDraft.defaultName) counts until it is")
        return nil
    }

    /// One, unless its entry points have middlewares of their own: then one for each, with Traefik's names.
    private mutating func router(_ draft: RouterDraft) -> [RouterSettings] {
        var service = draft.service.flatMap { index(of: $0, else: Self.answers503) }
        var passed: [Middleware] = []
        for reference in draft.middlewares {
            if let draft = middlewares[reference.qualified] {
                draft.middleware.map { passed.append($0) }
            } else {
                let names = middlewares.values.filter { $0.provider == reference.provider }.map(\.name)
                report(reference, is: "middleware", among: names, else: Self.answers503)
                service = nil
            }
        }
        guard let rule = draft.rule else { return [] }
        let router = Router(
            name: draft.provider.qualified(draft.name), rule: rule, priority: draft.priority,
            entryPoints: draft.entryPoints)
        var settings = RouterSettings(
            router: router, service: service, middlewares: passed, origin: draft.value.origin)
        settings.secureEntryPoints = draft.entryPoints.filter { place in
            draft.tls != nil || (entryPoints.indices.contains(place) && entryPoints[place].http.tls != nil)
        }
        if !settings.secureEntryPoints.isEmpty || draft.tls != nil {
            secureRouters.append(.init(draft: draft, rule: rule, entryPoints: settings.secureEntryPoints))
        }
        return byEntryPoint(settings, draft)
    }

    private func byEntryPoint(_ settings: RouterSettings, _ draft: RouterDraft) -> [RouterSettings] {
        let places = draft.entryPoints.filter { entryPoints.indices.contains($0) }.sorted()
        guard places.contains(where: { !entryPoints[$0].http.middlewares.isEmpty }) else { return [settings] }
        return places.map { place in
            var one = settings
            one.router.entryPoints = [place]
            one.secureEntryPoints.formIntersection([place])
            if places.count > 1 { one.router.name = "\(entryPoints[place].name)-\(settings.name)" }
            var own: [Middleware] = []
            for name in entryPoints[place].http.middlewares {
                if let found = middlewares[name] {
                    found.middleware.map { own.append($0) }
                } else {
                    draft.value.warning(
                        "middleware \(Excerpt.of(name)) of entry point \(entryPoints[place].name) is not defined: "
                            + Self.answers503)
                    one.service = nil
                }
            }
            one.middlewares = own + settings.middlewares
            return one
        }
    }

    /// The router of an entry point that redirects every request.
    private func redirection(of place: Int) -> RouterSettings? {
        guard let redirection = entryPoints[place].http.redirection, let rule = try? Rule("PathPrefix(`/`)") else {
            return nil
        }
        let name = entryPoints[place].name
        let target = redirection.target.hasPrefix(":") ? String(redirection.target.dropFirst()) : redirection.target
        var settings = RouterSettings(
            router: Router(
                name: "\(name)-to-\(target)@internal", rule: rule, priority: redirection.priority, entryPoints: [place]),
            service: nil, middlewares: [.redirectScheme(redirection.redirect)], origin: "entry point \(name)")
        settings.isRedirection = true
        if entryPoints[place].http.tls != nil { settings.secureEntryPoints = [place] }
        return settings
    }

    private mutating func index(of reference: HTTPReference, else consequence: String) -> Int? {
        if let index = indices[reference.qualified] { return index }
        let names = services.lazy.filter { $0.provider == reference.provider }.map(\.name)
        report(reference, is: "service", among: Array(names), else: consequence)
        return nil
    }

    private mutating func report(
        _ reference: HTTPReference, is kind: String, among names: [String], else consequence: String
    ) {
        missing += 1
        let nearest =
            missing <= Self.adviceMax ? SpellingSuggestion.nearest(to: reference.name, among: names.sorted()) : nil
        let name = Excerpt.of(reference.text)
        if reference.isOwn {
            reference.value.diagnostic("\(kind) \(name) is not defined\(nearest.map { ", did you mean \($0)?" } ?? "")")
        } else {
            reference.value.warning(
                "\(kind) \(name) is not defined at the moment\(nearest.map { " (did you mean \($0)?)" } ?? ""): \(consequence)"
            )
        }
    }

    /// Sorts the placeholders in by name.
    private func sorted(_ configuration: HTTPConfiguration) -> HTTPConfiguration {
        guard !placeholders.isEmpty else { return configuration }
        let order = configuration.services.indices.sorted {
            let (left, right) = (configuration.services[$0].name, configuration.services[$1].name)
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        var places = Array(repeating: 0, count: order.count)
        for (place, index) in order.enumerated() { places[index] = place }
        var sorted = configuration
        sorted.services = order.map { index in
            var service = configuration.services[index]
            service.targets = service.targets.moved { places[$0] }
            return service
        }
        for index in sorted.routers.indices {
            sorted.routers[index].service = sorted.routers[index].service.map { places[$0] }
        }
        return sorted
    }
}

extension ServiceSettings.Targets {
    /// The same targets after the services have moved to other indices.
    fileprivate func moved(_ place: (Int) -> Int) -> Self {
        func moved(_ reference: ServiceReference) -> ServiceReference {
            ServiceReference(service: place(reference.service), name: reference.name)
        }
        return switch self {
        case .servers: self
        case .services(let children):
            .services(children.map { WeightedService(reference: moved($0.reference), weight: $0.weight) })
        case .failover(let failover):
            .failover(
                FailoverSettings(
                    main: moved(failover.main), fallback: moved(failover.fallback), statuses: failover.statuses))
        }
    }
}
