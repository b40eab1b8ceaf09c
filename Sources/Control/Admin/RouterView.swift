import Configuration
import Proxy
import Routing

/// One router as `/api/http/routers` shows it.
package struct RouterView: Encodable, Equatable, Sendable {
    enum Status: String, Encodable, Sendable {
        case enabled
        /// It answers 503: what it names is not there.
        case warning
    }

    var name: String
    var provider: String
    var status: Status
    var rule: String
    var priority: Int
    /// Null where what it names is not there.
    @ExplicitNull var service: String?
    /// By their kinds, in the order in which a request passes them: what they say may be secret.
    var middlewares: [String]
    var entryPoints: [String]
    /// The file and the line, or the container.
    var origin: String

    /// All of a configuration, in its order.
    static func all(of configuration: Configuration) -> [RouterView] {
        let (services, entryPoints) = (configuration.http.services, configuration.entryPoints)
        return configuration.http.routers.map { settings in
            let router = settings.router
            return RouterView(
                name: settings.name, provider: providerName(settings.name),
                status: settings.service == nil ? .warning : .enabled, rule: router.rule.text,
                priority: router.priority ?? router.rule.defaultPriority,
                service: settings.service.map { services[$0].name },
                middlewares: settings.middlewares.map(\.kind),
                entryPoints: router.entryPoints.sorted().map { entryPoints[$0].name }, origin: settings.origin)
        }
    }

    /// Of a qualified name: what files say is called as it is written.
    static func providerName(_ name: String) -> String {
        name.hasSuffix("@docker") ? "docker" : "file"
    }
}

extension Middleware {
    /// As the configuration calls it.
    var kind: String {
        switch self {
        case .headers: "headers"
        case .stripPrefix: "stripPrefix"
        case .addPrefix: "addPrefix"
        case .redirectScheme: "redirectScheme"
        case .basicAuth: "basicAuth"
        case .ipAllowList: "ipAllowList"
        }
    }
}
