package import Crypto
package import Routing

/// The routers and services that a replica serves by: immutable, one for all event loops.
package struct Snapshot: Sendable {
    package var routes: RouteTable
    /// The place in `services` of each router's service.
    package var serviceOfRoute: [Int]
    package var routerNames: [String]
    package var services: [Service]
    /// Sealing keys of our cookies: the first seals, all open.
    package var cookieKeys: [SymmetricKey]

    package init(
        routes: RouteTable, serviceOfRoute: [Int], routerNames: [String], services: [Service],
        cookieKeys: [SymmetricKey]
    ) {
        self.routes = routes
        self.serviceOfRoute = serviceOfRoute
        self.routerNames = routerNames
        self.services = services
        self.cookieKeys = cookieKeys
    }
}
