/// A listener's settings that a connection needs.
package struct EntryPoint: Sendable {
    package var name: String
    /// Its place in the route table.
    package var index: Int
    /// Peers whose X-Forwarded-* fields are believed.
    package var trustedNetworks: [Network]

    package init(name: String, index: Int, trustedNetworks: [Network] = []) {
        self.name = name
        self.index = index
        self.trustedNetworks = trustedNetworks
    }

    /// A network in CIDR form.
    package struct Network: Sendable, Equatable {
        /// 4 or 16 bytes in network order.
        package var address: [UInt8]
        package var prefixLength: Int

        package init(address: [UInt8], prefixLength: Int) {
            self.address = address
            self.prefixLength = prefixLength
        }

        func contains(_ other: [UInt8]) -> Bool {
            guard other.count == address.count else { return false }
            return AddressMask.masked(other, prefixLength) == AddressMask.masked(address, prefixLength)
        }
    }

    func trusts(_ address: [UInt8]) -> Bool {
        trustedNetworks.contains { $0.contains(address) }
    }
}

/// Clears the host part of an address.
enum AddressMask {
    static func masked(_ address: [UInt8], _ prefixLength: Int) -> [UInt8] {
        address.enumerated().map { index, byte in
            let kept = min(max(prefixLength - index * 8, 0), 8)
            return kept == 0 ? 0 : byte & (0xFF << (8 - kept))
        }
    }
}
