package import Routing

/// A listener's settings that a connection needs.
package struct EntryPoint: Sendable {
    package var name: String
    /// The index in the route table.
    package var index: Int
    /// Peers whose X-Forwarded-* fields are trusted.
    package var trustedPeers: [AddressRange]

    package init(name: String, index: Int, trustedPeers: [AddressRange] = []) {
        self.name = name
        self.index = index
        self.trustedPeers = trustedPeers
    }
}
