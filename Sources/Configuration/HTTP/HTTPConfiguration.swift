package import Proxy
package import Routing

/// The part of the configuration that may change while a replica runs, checked and with all references resolved.
package struct HTTPConfiguration: Equatable, Sendable {
    /// In the order of their qualified names.
    package var routers: [RouterSettings]
    /// In the order of their qualified names. Routers and weighted services name them by index.
    package var services: [ServiceSettings]

    package init(routers: [RouterSettings] = [], services: [ServiceSettings] = []) {
        self.routers = routers
        self.services = services
    }
}

/// Which requests go to which service: `http.routers.<name>`.
package struct RouterSettings: Equatable, Sendable {
    /// Its name is qualified. Its entry points are indices into `Configuration.entryPoints`.
    package var router: Router
    /// An index into `HTTPConfiguration.services`. Nil while the service or a middleware that it names is not there:
    /// then it answers 503.
    package var service: Int?
    /// In the order in which a request passes them.
    package var middlewares: [Middleware]
    /// Who says it, for people: `dynamic.yml:12` or `container web-1`.
    package var origin: String

    package var name: String { router.name }
}
