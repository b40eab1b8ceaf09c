package import Crypto
package import Routing

/// The routers and services of one configuration: immutable, shared by all event loops.
package struct Snapshot: Sendable {
    package var routes: RouteTable
    /// In the order of the indices in `routes`.
    package var routers: [RouterPlan]
    package var services: [Service]
    /// The sealing keys of the affinity cookies: the first seals, all open.
    package var cookieKeys: [SymmetricKey]
    /// Nil: no entry point serves TLS.
    package var tls: TLSServing?
    /// Added to the index of an entry point in `routes`, for connections with TLS.
    package var secureRoutesOffset: Int

    /// - Parameter secureRoutesOffset: the number of entry points, where routers are told apart by TLS.
    package init(
        routes: RouteTable, routers: [RouterPlan], services: [Service], cookieKeys: [SymmetricKey],
        tls: TLSServing? = nil, secureRoutesOffset: Int = 0
    ) {
        self.routes = routes
        self.routers = routers
        self.services = services
        self.cookieKeys = cookieKeys
        self.tls = tls
        self.secureRoutesOffset = secureRoutesOffset
    }
}

extension Snapshot {
    /// The index of a client's entry point in `routes`.
    func routeIndex(of client: ClientConnectionInfo) -> Int {
        client.entryPoint.index + (client.tls == nil ? 0 : secureRoutesOffset)
    }

    /// For each service, whether the health of its backends decides the placement of sessions that other replicas
    /// share: its own sessions, or those of a weighted service above it.
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

/// What happens to a request that a router matches. Immutable; a class, because every request uses it.
package final class RouterPlan: Sendable {
    package let name: String
    /// The index in the snapshot's services. Nil: the router refers to something that does not exist at the moment, and
    /// its requests are answered 503.
    package let service: Int?
    let middlewares: MiddlewareChain?
    /// Whether the middleware answers every request that is to be answered, and there is no service.
    let isRedirection: Bool

    package init(name: String, service: Int?, middlewares: [Middleware] = [], isRedirection: Bool = false) {
        self.name = name
        self.service = service
        self.isRedirection = isRedirection
        self.middlewares = MiddlewareChain(middlewares)
    }
}
