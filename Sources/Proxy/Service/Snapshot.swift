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

extension Snapshot {
    /// Of each service, whether its backends' health decides where sessions are that other replicas know: its own, or
    /// those of a weighted service above it.
    var sharesSessions: [Bool] {
        var shares = services.map { $0.sticky != nil }
        var parents = services.indices.filter { shares[$0] }
        while let parent = parents.popLast() {
            for child in services[parent].children where !shares[child] {
                shares[child] = true
                parents.append(child)
            }
        }
        return shares
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
