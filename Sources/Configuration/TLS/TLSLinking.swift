import Proxy
import Routing

/// Brings the TLS of all files and of all routers together, and reports what does not fit.
struct TLSLinking {
    /// A router with TLS at some of its entry points.
    struct SecureRouter {
        let draft: RouterDraft
        let rule: Rule
        /// Indices of entry points.
        let entryPoints: Set<Int>
    }

    private(set) var settings = TLSSettings()
    private let entryPoints: [EntryPointSettings]
    /// Index by name.
    private var optionsPlaces: [String: Int] = [TLSOptions.defaultName: 0]
    /// Who named the options of a host, by entry point and host.
    private var namedBy: [Int: [String: SettingValue]] = [:]

    init(_ drafts: [TLSDraft], _ routers: [SecureRouter], _ context: HTTPContext) {
        entryPoints = context.entryPoints ?? []
        settings.hostOptions = entryPoints.map { $0.http.tls == nil ? nil : [:] }
        addOptions(drafts)
        addCertificates(drafts)
        for router in routers { add(router) }
        for router in routers { checkCertificates(of: router) }
    }

    private mutating func addOptions(_ drafts: [TLSDraft]) {
        var first: [String: SettingValue] = [:]
        for (value, options) in drafts.flatMap(\.options) {
            if let other = first[options.name] {
                value.diagnostics.add("is already defined at \(other.origin)", at: value.keyPlace, key: value.key)
                continue
            }
            first[options.name] = value
            if options.name == TLSOptions.defaultName {
                settings.options[0] = options
            } else {
                optionsPlaces[options.name] = settings.options.count
                settings.options.append(options)
            }
        }
    }

    private mutating func addCertificates(_ drafts: [TLSDraft]) {
        settings.certificates = drafts.flatMap(\.certificates)
        let given = drafts.compactMap(\.defaultCertificate)
        guard let first = given.first else { return }
        for other in given.dropFirst() {
            other.value.diagnostics.add(
                "is already defined at \(first.value.origin)", at: other.value.keyPlace, key: other.value.key)
        }
        guard let certificate = first.certificate else { return }
        settings.defaultCertificate = settings.certificates.count
        settings.certificates.append(certificate)
    }

    // MARK: Options

    private mutating func add(_ router: SecureRouter) {
        let own = router.draft.tls
        let place = own?.options.flatMap(place(of:))
        if let options = own?.options, place ?? 0 > 0, router.rule.hosts.isEmpty {
            options.value.diagnostic(
                "has no effect: options are chosen by the name that a client asks for, so the rule must have a Host")
        }
        for entryPoint in router.entryPoints where settings.hostOptions.indices.contains(entryPoint) {
            if settings.hostOptions[entryPoint] == nil { settings.hostOptions[entryPoint] = [:] }
            let standard = own == nil ? entryPoints[entryPoint].http.tls?.options.flatMap { optionsPlaces[$0] } : nil
            guard let place = place ?? standard, place > 0 else { continue }
            for host in router.rule.hosts { set(place, for: host, at: entryPoint, router) }
        }
    }

    /// Options that a router names count for its hosts, whatever other routers leave unsaid: otherwise a router without
    /// options could lift the demand for client certificates.
    private mutating func set(_ place: Int, for host: String, at entryPoint: Int, _ router: SecureRouter) {
        guard let host = ServerName.normalized(host.utf8) else { return }
        let value = router.draft.tls?.options?.value ?? router.draft.value
        if let other = settings.hostOptions[entryPoint]?[host], other != place {
            let origin = namedBy[entryPoint]?[host]?.origin ?? ""
            value.diagnostic(
                "gives \(host) other TLS options than \(origin) does: a host has one set of options at an entry point")
            return
        }
        settings.hostOptions[entryPoint]?[host] = place
        namedBy[entryPoint, default: [:]][host] = value
    }

    private func place(of reference: HTTPReference) -> Int? {
        if reference.name == TLSOptions.defaultName { return 0 }
        if reference.provider == .file, let place = optionsPlaces[reference.name] { return place }
        let known = optionsPlaces.keys.sorted()
        let nearest = SpellingSuggestion.nearest(to: reference.name, among: known).map { ", did you mean \($0)?" } ?? ""
        let isOther = reference.provider != .file && optionsPlaces[reference.name] != nil
        reference.value.diagnostic(
            isOther
                ? "TLS options are defined in files: write \(reference.name)@file"
                : "TLS options \(Excerpt.of(reference.text)) are not defined\(nearest)")
        return nil
    }

    // MARK: Certificates

    private func checkCertificates(of router: SecureRouter) {
        let own = router.draft.tls
        let resolverIsNamed =
            own.map { $0.resolver != nil }
            ?? router.entryPoints.contains {
                entryPoints.indices.contains($0) && entryPoints[$0].http.tls?.namesResolver == true
            }
        let hosts = router.rule.hosts + (own?.domains.map(\.name) ?? [])
        let uncovered = hosts.filter { host in
            ServerName.normalized(host.utf8).map { !settings.covers($0) } ?? false
        }
        let value = own?.resolver ?? own?.value ?? router.draft.value
        if resolverIsNamed {
            let isServed = settings.defaultCertificate != nil || (uncovered.isEmpty && !hosts.isEmpty)
            guard isServed else {
                let names = uncovered.isEmpty ? "the router" : uncovered.joined(separator: ", ")
                return value.diagnostic(
                    "certResolver is not available in this version, and no certificate covers \(names): "
                        + "add one to tls.certificates")
            }
            own?.resolver?.warning("certResolver has no effect: certificates are those of tls.certificates")
        }
        for host in uncovered {
            value.warning(
                settings.defaultCertificate == nil
                    ? "no certificate covers \(host): clients that ask for it are refused"
                    : "no certificate covers \(host): clients get the default certificate")
        }
    }
}
