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

    package init(
        name: String, index: Int, trustedPeers: [AddressRange] = [], limits: EntryPointLimits = EntryPointLimits(),
        needsTLS: Bool = false
    ) {
        self.name = name
        self.index = index
        self.trustedPeers = trustedPeers
        self.limits = limits
        self.needsTLS = needsTLS
    }
}
