package import Affinity

/// A named group of servers, or of other services: `http.services.<name>`.
package struct ServiceSettings: Equatable, Sendable {
    /// Qualified: `shop` of files, `shop@docker` of containers. It is the service's identity in fingerprints and in the
    /// fleet.
    package var name: String
    package var targets: Targets
    /// Nil: requests are balanced without affinity.
    package var sticky: StickySettings?
    /// Whether a backend sees the client's Host; otherwise that of its own URL. Of `.servers` alone.
    package var passHostHeader: Bool
    /// How a session that nobody knows, or a request without a session, is given its target.
    package var strategy: PlacementStrategy

    package enum Targets: Equatable, Sendable {
        /// `loadBalancer.servers`. May be empty: the service then answers 503.
        case servers([BackendSettings])
        /// `weighted.services`, at least one. No chain of them leads back to where it began.
        case services([WeightedService])
    }

    package init(
        name: String, targets: Targets, sticky: StickySettings? = nil, passHostHeader: Bool = true,
        strategy: PlacementStrategy? = nil
    ) {
        self.name = name
        self.targets = targets
        self.sticky = sticky
        self.passHostHeader = passHostHeader
        self.strategy = strategy ?? Self.defaultStrategy(isSticky: sticky != nil)
    }

    /// That of a service that names none.
    package static func defaultStrategy(isSticky: Bool) -> PlacementStrategy { isSticky ? .hrw : .wrr }

    /// Its servers; none of a weighted service.
    package var backends: [BackendSettings] {
        if case .servers(let backends) = targets { backends } else { [] }
    }
}

/// One service of a weighted service: `weighted.services[]`.
package struct WeightedService: Equatable, Sendable {
    /// An index into `HTTPConfiguration.services`.
    package var service: Int
    /// As it is written; unique within the weighted service.
    package var name: String
    /// 0...65535; 0 takes no new session.
    package var weight: Int
}

/// One server of a service: `servers[]`. Names and addresses are unique within the service.
package struct BackendSettings: Equatable, Sendable {
    /// What the store knows it by: `name`, else its URL as written; of a container its id.
    package var name: String
    /// As written; of a container made from its address and port.
    package var url: String
    /// A name or an address; IPv6 without brackets.
    package var host: String
    package var port: Int
    /// 0...65535; 0 takes no new session.
    package var weight: Int
    /// Keeps its sessions, and gets new ones only where there is no other server.
    package var isDraining: Bool

    package init(name: String, url: String, host: String, port: Int, weight: Int = 1, isDraining: Bool = false) {
        self.name = name
        self.url = url
        self.host = host
        self.port = port
        self.weight = weight
        self.isDraining = isDraining
    }
}
