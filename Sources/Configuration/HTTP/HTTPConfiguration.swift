package import Proxy
package import Routing

/// The part of the configuration that can change while a replica runs, checked and with all references resolved.
package struct HTTPConfiguration: Equatable, Sendable {
    /// Sorted by qualified name.
    package var routers: [RouterSettings]
    /// Sorted by qualified name. Routers and weighted services refer to them by index.
    package var services: [ServiceSettings]
    package var tls = TLSSettings()

    package init(routers: [RouterSettings] = [], services: [ServiceSettings] = []) {
        self.routers = routers
        self.services = services
    }
}

/// Which requests go to which service: `http.routers.<name>`.
package struct RouterSettings: Equatable, Sendable {
    /// `router.name` is the qualified name; `router.entryPoints` are indices into `Configuration.entryPoints`.
    package var router: Router
    /// An index into `HTTPConfiguration.services`. Nil while the service or a middleware that the router names is
    /// missing: the router then answers 503.
    package var service: Int?
    /// In the order in which they are applied.
    package var middlewares: [Middleware]
    /// Where the router is defined, for people: `dynamic.yml:12` or `container web-1`.
    package var origin: String
    /// Those of `router.entryPoints` at which it answers requests with TLS; at the others, requests without.
    package var secureEntryPoints: Set<Int> = []
    /// Whether it does nothing but redirect: it has no service, and its middleware answers.
    package var isRedirection = false

    package var name: String { router.name }
}
