import Proxy

/// A middleware as one source defines it.
struct MiddlewareDraft {
    let name: String
    let value: SettingValue
    let provider: ProviderName
    /// Nil: its definition has an error.
    let middleware: Middleware?

    private static let readers: [(key: String, read: @Sendable (SettingSection, HTTPContext) -> Middleware?)] = [
        ("headers", { section, _ in HeaderEdits(section).map(Middleware.headers) }),
        ("stripPrefix", { section, _ in Middleware(stripPrefix: section) }),
        ("addPrefix", { section, _ in Middleware(addPrefix: section) }),
        ("redirectScheme", { section, _ in SchemeRedirect(section).map(Middleware.redirectScheme) }),
        ("basicAuth", { BasicAuth($0, $1.usersFiles).map(Middleware.basicAuth) }),
        ("ipAllowList", { section, _ in IPAllowList(section).map(Middleware.ipAllowList) }),
        ("passTLSClientCert", { section, _ in PassTLSClientCert(section).map(Middleware.passTLSClientCert) }),
        ("retry", { section, _ in Retry(section).map(Middleware.retry) }),
    ]
    private static let unavailable = [
        "buffering", "chain", "circuitBreaker", "compress", "contentType", "digestAuth", "encodedCharacters", "errors",
        "forwardAuth", "grpcWeb", "inFlightReq", "ipWhiteList", "plugin", "rateLimit", "redirectRegex", "replacePath",
        "replacePathRegex", "stripPrefixRegex",
    ]

    init(name: String, _ value: SettingValue, of provider: ProviderName, _ context: HTTPContext) {
        self.name = name
        self.value = value
        self.provider = provider
        guard let section = value.section() else {
            middleware = nil
            return
        }
        section.check(known: Self.readers.map(\.key), unavailable: Self.unavailable)
        let found = Self.readers.filter { section.present($0.key) != nil }
        if section.isEmpty {
            section.diagnostic("is empty: use one of \(Self.readers.map(\.key).joined(separator: ", "))")
        } else if found.count > 1 {
            section.diagnostic(
                "defines \(found.map(\.key).joined(separator: " and ")): give each a middleware of its own",
                key: found[1].key)
        }
        middleware = found.first.flatMap { reader in section.section(reader.key).flatMap { reader.read($0, context) } }
    }
}
