/// A backend of a service as replicas name it to each other, wherever it is in their configurations.
package struct FleetBackend: Hashable, Comparable, Sendable {
    package let service: ServiceHash
    package let backend: BackendHash

    package init(service: ServiceHash, backend: BackendHash) {
        self.service = service
        self.backend = backend
    }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.service.bits, lhs.backend.bits) < (rhs.service.bits, rhs.backend.bits)
    }
}

/// The 48-bit keyed hash of a service's name. It identifies the service between replicas.
package struct ServiceHash: Hashable, Sendable {
    package static let bitCount: UInt64 = 48

    /// Always below 2^48.
    package let bits: UInt64

    /// Keeps the low 48 bits.
    package init(bits: UInt64) {
        self.bits = bits & (1 << Self.bitCount - 1)
    }

    /// The hash of a service's name under the fleet's key: the same on every replica.
    package static func of(name: String, key: FingerprintKey) -> ServiceHash {
        var sip = SipHash(key)
        // No name has this length, and the hash of a backend's name starts with another word: the two uses of the key
        // never have the same input.
        sip.absorb(.max - 1)
        sip.absorb(prefixed: name.utf8)
        return ServiceHash(bits: sip.finish().0 >> (64 - bitCount))
    }
}
