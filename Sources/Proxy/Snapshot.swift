package import Crypto
package import Routing

/// The routers and services that a replica serves by: immutable, one for all event loops.
package struct Snapshot: Sendable {
    package var routes: RouteTable
    /// In the order in which `routes` counts them.
    package var routers: [RouterPlan]
    package var services: [Service]
    /// Sealing keys of our cookies: the first seals, all open.
    package var cookieKeys: [SymmetricKey]

    package init(
        routes: RouteTable, routers: [RouterPlan], services: [Service], cookieKeys: [SymmetricKey]
    ) {
        self.routes = routes
        self.routers = routers
        self.services = services
        self.cookieKeys = cookieKeys
    }
}

/// What becomes of a request that a router takes. Immutable; a class, as every request looks into it.
package final class RouterPlan: Sendable {
    package let name: String
    /// The place in the snapshot's services. Nil: what the router names is not there now, and its requests are answered
    /// 503.
    package let service: Int?
    let middlewares: MiddlewareChain?

    package init(name: String, service: Int?, middlewares: [Middleware] = []) {
        self.name = name
        self.service = service
        self.middlewares = MiddlewareChain(middlewares)
    }
}
