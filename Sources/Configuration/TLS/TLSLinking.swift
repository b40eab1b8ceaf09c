import Crypto
import Proxy
import Routing
import TLS

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
    /// Whether the main file says which entry points there are, and what they say themselves.
    private let areEntryPointsKnown: Bool
    /// Index by name.
    private var optionsPlaces: [String: Int] = [TLSOptions.defaultName: 0]
    /// Where options and certificates are written, by index; nil: nowhere.
    private var optionsValues: [SettingValue?] = [nil]
    private var certificateValues: [SettingValue] = []
    /// Who named the options of a host, by entry point and host.
    private var namedBy: [Int: [String: SettingValue]] = [:]

    /// - Parameter listeners: nil: the main file is not known.
    init(
        _ drafts: [TLSDraft], _ routers: [SecureRouter], _ listeners: ListenerTLSPlaces?, _ context: HTTPContext
    ) {
        areEntryPointsKnown = context.entryPoints != nil
        let (entryPoints, routers) = context.entryPoints.map { ($0, routers) } ?? Self.assumed(routers)
        self.entryPoints = entryPoints
        addOptions(drafts)
        settings.hostOptions = entryPoints.map { entryPoint in
            entryPoint.http.tls.map { .init(standard: $0.options.flatMap { optionsPlaces[$0] } ?? 0) }
        }
        addCertificates(drafts)
        checkOptionsOfListeners(context, listeners)
        if let tls = context.adminTLS { addAdmin(tls, listeners) }
        for router in routers { add(router) }
        settings.forgetRedundantHosts()
        if areEntryPointsKnown { settings.warnOfOpenHosts(routers, entryPoints) }
        for router in routers { checkCertificates(of: router) }
        checkPairs()
    }

    /// Entry points with the names that routers with TLS of their own give them, for dynamic files that are checked
    /// alone.
    private static func assumed(_ routers: [SecureRouter]) -> ([EntryPointSettings], [SecureRouter]) {
        func names(_ router: SecureRouter) -> [String] {
            router.draft.assumedEntryPoints.isEmpty ? [""] : router.draft.assumedEntryPoints
        }
        let all = Set(routers.flatMap(names)).sorted()
        let indices = Dictionary(uniqueKeysWithValues: zip(all, all.indices))
        let entryPoints = all.map {
            EntryPointSettings(name: $0, address: ListenAddress(host: nil, port: 0), trustedPeers: [])
        }
        let placed = routers.map { router in
            SecureRouter(
                draft: router.draft, rule: router.rule, entryPoints: Set(names(router).compactMap { indices[$0] }))
        }
        return (entryPoints, placed)
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
                optionsValues[0] = value
            } else {
                optionsPlaces[options.name] = settings.options.count
                settings.options.append(options)
                optionsValues.append(value)
            }
        }
    }

    private mutating func addCertificates(_ drafts: [TLSDraft]) {
        settings.certificates = drafts.flatMap(\.certificates).map(\.certificate)
        certificateValues = drafts.flatMap(\.certificates).map(\.value)
        let given = drafts.compactMap(\.defaultCertificate)
        guard let first = given.first else { return }
        for other in given.dropFirst() {
            other.value.diagnostics.add(
                "is already defined at \(first.value.origin)", at: other.value.keyPlace, key: other.value.key)
        }
        guard let certificate = first.certificate else { return }
        settings.defaultCertificate = settings.certificates.count
        settings.certificates.append(certificate)
        certificateValues.append(first.value)
    }

    /// Finds the certificates that cannot serve under options that they would be served under, which clients would only
    /// notice at their handshakes.
    private func checkPairs() {
        let serving = TLSServing(
            certificates: settings.certificates.map(\.certificate), defaultCertificate: settings.defaultCertificate,
            options: settings.options, hostOptions: settings.hostOptions, adminOptions: settings.adminOptions,
            ticketSecret: .init(size: .bits256))
        let pairs = serving.pairs.sorted { ($0.options, $0.certificate) < ($1.options, $1.certificate) }
        for pair in pairs {
            let certificate = settings.certificates[pair.certificate]
            // What is wrong with the key itself has been reported.
            guard certificate.certificate.facts.keyKind != .other,
                let misfit = settings.options[pair.options].misfit(with: certificate.certificate)
            else { continue }
            let value = optionsValues[pair.options] ?? certificateValues[pair.certificate]
            let kind = certificate.certificate.facts.keyKind == .rsa ? "RSA" : "ECDSA"
            switch misfit {
            case .noSuite:
                value.diagnostic("no cipher suite fits the certificate at \(certificate.origin), whose key is \(kind)")
            case .noSuiteBefore13:
                value.warning(
                    "no cipher suite of TLS 1.2 fits the certificate at \(certificate.origin), whose key is \(kind): "
                        + "clients without TLS 1.3 are refused")
            case .refused(let words):
                value.diagnostic("cannot serve with the certificate at \(certificate.origin): \(words)")
            }
        }
    }

    // MARK: Listeners

    private static let adminName = "admin"

    private func checkOptionsOfListeners(_ context: HTTPContext, _ listeners: ListenerTLSPlaces?) {
        let named =
            entryPoints.map { ($0.name, $0.http.tls?.options) } + [(Self.adminName, context.adminTLS?.options)]
        for (name, options) in named {
            guard let options, optionsPlaces[options] == nil else { continue }
            let message = "TLS options \(Excerpt.of(options)) are not defined\(advice(for: options))"
            listeners?.add(message, at: name, key: "options")
        }
    }

    /// Options that are not defined are an error, so that nothing is served by the default ones instead.
    private mutating func addAdmin(_ tls: EntryPointTLSSettings, _ listeners: ListenerTLSPlaces?) {
        settings.adminOptions = tls.options.flatMap { optionsPlaces[$0] } ?? 0
        if settings.certificates.isEmpty {
            listeners?.add(
                "no certificate serves the admin listener: add one to tls.certificates", at: Self.adminName)
        } else if settings.defaultCertificate == nil {
            listeners?.add(
                "there is no default certificate: clients that ask by an address, such as https://127.0.0.1, are refused",
                at: Self.adminName, severity: .warning)
        }
        if tls.namesResolver {
            listeners?.add(
                "certResolver has no effect: certificates are those of tls.certificates", at: Self.adminName,
                key: "certResolver", severity: .warning)
        }
    }

    private func advice(for name: String) -> String {
        SpellingSuggestion.nearest(to: name, among: optionsPlaces.keys.sorted()).map { ", did you mean \($0)?" } ?? ""
    }

    // MARK: Options

    /// Brings in what a router says. Options that it names count for its hosts, whatever the entry point says and other
    /// routers leave unsaid: otherwise a router without options could lift the demand for client certificates.
    private mutating func add(_ router: SecureRouter) {
        let known = router.entryPoints.filter(settings.hostOptions.indices.contains)
        for entryPoint in known where settings.hostOptions[entryPoint] == nil {
            settings.hostOptions[entryPoint] = .init()
        }
        guard let reference = router.draft.tls?.options, let place = place(of: reference) else { return }
        let hosts = router.rule.hosts
        for entryPoint in known {
            for host in hosts { set(place, for: host, at: entryPoint, reference.value) }
        }
        // Elsewhere the entry point says the same.
        guard known.contains(where: { settings.hostOptions[$0]?.standard != place }) else { return }
        if hosts.isEmpty, !areEntryPointsKnown {
            reference.value.warning(
                "has no effect unless the entry points name it, too: options are chosen by the name that a client asks for, "
                    + "and the rule has no Host")
        } else if hosts.isEmpty {
            reference.value.diagnostic(
                "has no effect: options are chosen by the name that a client asks for, so the rule must have a Host")
        } else if !router.rule.isBoundToHosts {
            reference.value.warning(
                "counts for \(hosts.joined(separator: ", ")) alone: the rule also takes requests for other hosts, which "
                    + "have other TLS options")
        }
    }

    private mutating func set(_ place: Int, for host: String, at entryPoint: Int, _ value: SettingValue) {
        guard let name = ServerName.normalized(host.utf8) else {
            guard place != settings.hostOptions[entryPoint]?.standard else { return }
            return value.diagnostic(
                "has no effect for \(Excerpt.of(host)): options are chosen by the name that a client asks for, and this "
                    + "is not a name of DNS")
        }
        if let other = settings.hostOptions[entryPoint]?.named[name], other != place {
            let origin = namedBy[entryPoint]?[name]?.origin ?? ""
            value.diagnostic(
                "gives \(name) other TLS options than \(origin) does: a host has one set of options at an entry point")
            return
        }
        settings.hostOptions[entryPoint]?.named[name] = place
        namedBy[entryPoint, default: [:]][name] = value
    }

    private func place(of reference: HTTPReference) -> Int? {
        if reference.name == TLSOptions.defaultName { return 0 }
        if reference.provider == .file, let place = optionsPlaces[reference.name] { return place }
        let isOther = reference.provider != .file && optionsPlaces[reference.name] != nil
        reference.value.diagnostic(
            isOther
                ? "TLS options are defined in files: write \(reference.name)@file"
                : "TLS options \(Excerpt.of(reference.text)) are not defined\(advice(for: reference.name))")
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
