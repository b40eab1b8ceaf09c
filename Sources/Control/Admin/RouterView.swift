import Configuration
import Proxy
import Routing

/// One router as `/api/http/routers` shows it.
package struct RouterView: Encodable, Equatable, Sendable {
    enum Status: String, Encodable, Sendable {
        case enabled
        /// The router answers 503, because an object that it names is missing.
        case warning
    }

    var name: String
    var provider: String
    var status: Status
    var rule: String
    var priority: Int
    /// Null if an object that the router names is missing.
    @ExplicitNull var service: String?
    /// The kinds of the middlewares, in the order in which they are applied. Their settings are left out because they
    /// may be secret.
    var middlewares: [String]
    var entryPoints: [String]
    /// Those of them at which it answers requests with TLS; at the others, requests without.
    var tls: [String]
    /// The file and the line, or the container.
    var origin: String

    /// All routers of a configuration, in its order.
    static func all(of configuration: Configuration) -> [RouterView] {
        let (services, entryPoints) = (configuration.http.services, configuration.entryPoints)
        return configuration.http.routers.map { settings in
            let router = settings.router
            return RouterView(
                name: settings.name, provider: providerName(settings.name),
                status: settings.service == nil && !settings.isRedirection ? .warning : .enabled,
                rule: router.rule.text,
                priority: router.priority ?? router.rule.defaultPriority,
                service: settings.service.map { services[$0].name },
                middlewares: settings.middlewares.map(\.kind),
                entryPoints: router.entryPoints.sorted().map { entryPoints[$0].name },
                tls: settings.secureEntryPoints.sorted().map { entryPoints[$0].name }, origin: settings.origin)
        }
    }

    /// The provider of a qualified name. Objects from files have no suffix.
    static func providerName(_ name: String) -> String {
        name.hasSuffix("@docker") ? "docker" : "file"
    }
}

extension Middleware {
    /// The key that the configuration uses.
    var kind: String {
        switch self {
        case .headers: "headers"
        case .stripPrefix: "stripPrefix"
        case .addPrefix: "addPrefix"
        case .redirectScheme: "redirectScheme"
        case .basicAuth: "basicAuth"
        case .ipAllowList: "ipAllowList"
        case .passTLSClientCert: "passTLSClientCert"
        case .retry: "retry"
        }
    }
}
