import Proxy
import Routing

extension EntryPointHTTPSettings {
    /// `entryPoints.<name>.http`, and `asDefault` next to it.
    init(_ section: SettingSection?, asDefault: SettingValue?) {
        self.init()
        isDefault = asDefault?.bool() ?? false
        guard let section else { return }
        section.check(
            known: ["tls", "middlewares", "redirections"],
            unavailable: [
                "sanitizePath", "maxHeaderBytes", "encodeQuerySemicolons", "underscoreHeadersStrategy",
                "encodedCharacters",
            ])
        tls = EntryPointTLSSettings(section)
        middlewares = (section["middlewares"]?.list() ?? []).compactMap { HTTPReference($0, from: .file)?.qualified }
        let redirections = section.section("redirections")
        redirections?.check(known: ["entryPoint"])
        redirection = redirections?.section("entryPoint").flatMap(EntryPointRedirection.init)
    }
}

extension EntryPointTLSSettings {
    /// `tls` in `http` of an entry point. Nil without TLS, and after an error.
    init?(_ http: SettingSection) {
        guard let tls = RouterTLSDraft(http.present("tls"), of: .file) else { return nil }
        self.init(options: tls.options?.name, namesResolver: tls.resolver != nil)
        if let options = tls.options, options.provider != .file {
            options.value.diagnostic("must be an object of a file: only files define TLS options")
        }
    }
}

extension EntryPointRedirection {
    /// The port is that of the target, and is filled in when all entry points are known.
    init?(_ section: SettingSection) {
        section.check(known: ["to", "scheme", "permanent", "priority"])
        let scheme = section["scheme"]?.choice(SchemeRedirect.Scheme.self) ?? .https
        let isPermanent = section["permanent"]?.bool() ?? true
        let priority = section["priority"]?.integer(Int.min...(Int.max - 1)) ?? Int.max - 1
        guard let target = section.required("to", "name an entry point, or write :port")?.nonEmptyString() else {
            return nil
        }
        self.init(
            redirect: SchemeRedirect(scheme: scheme, isPermanent: isPermanent), priority: priority, target: target)
    }

    /// Fills in the port of the target, which is an entry point or `:port`. Returns false if there is none.
    mutating func resolve(among entryPoints: [EntryPointSettings]) -> Bool {
        if target.hasPrefix(":"), let port = Int(decimal: target.dropFirst()), (1...65535).contains(port) {
            redirect.port = port
            return true
        }
        guard let other = entryPoints.first(where: { $0.name == target }) else { return false }
        redirect.port = other.address.port == 0 ? nil : other.address.port
        return true
    }
}
