package import Routing

/// A listener's settings that a connection needs.
package struct EntryPoint: Sendable {
    package var name: String
    /// The index in the route table.
    package var index: Int
    /// Peers whose X-Forwarded-* fields are trusted.
    package var trustedPeers: [AddressRange]
    package var limits: EntryPointLimits
    /// Whether requests without TLS are refused.
    package var needsTLS: Bool
    /// Whether clients may speak HTTP/2: with TLS as they and we agree, without it by beginning with it.
    package var servesHTTP2: Bool

    package init(
        name: String, index: Int, trustedPeers: [AddressRange] = [], limits: EntryPointLimits = EntryPointLimits(),
        needsTLS: Bool = false, servesHTTP2: Bool = true
    ) {
        self.name = name
        self.index = index
        self.trustedPeers = trustedPeers
        self.limits = limits
        self.needsTLS = needsTLS
        self.servesHTTP2 = servesHTTP2
    }
}
