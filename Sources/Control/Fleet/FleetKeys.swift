package import Affinity
package import Configuration
package import Crypto

/// The keys that a replica derives from the fleet secret, by HKDF-SHA-256 (RFC 5869), each for one purpose. Equal
/// secrets give equal keys, so all replicas of a fleet compute the same fingerprints and placements, and open each
/// other's cookies.
package struct FleetKeys: Sendable {
    /// For fingerprints and the order of placement.
    package let fingerprint: FingerprintKey
    /// For affinity cookies: the first seals, all open.
    package let cookies: [SymmetricKey]
    /// For the configuration fingerprint.
    let configuration: SymmetricKey
    /// For the keys of TLS session tickets.
    let tickets: SymmetricKey

    /// A fleet without a secret is a single replica, whose keys live as long as the process.
    package init(_ fleet: FleetSettings) {
        let secret = fleet.secret.map { SymmetricKey(data: $0.bytes) } ?? SymmetricKey(size: .bits256)
        fingerprint = Self.fingerprintKey(secret)
        configuration = Self.derive(secret, "limpet configuration 1", 32)
        tickets = Self.derive(secret, "limpet tls tickets 1", 32)
        cookies =
            fleet.cookieKeys.isEmpty
            ? [Self.derive(secret, "limpet cookie 1", 32)]
            : fleet.cookieKeys.map { Self.derive(SymmetricKey(data: $0.bytes), "limpet cookie 1", 32) }
    }

    private static func fingerprintKey(_ secret: SymmetricKey) -> FingerprintKey {
        derive(secret, "limpet fingerprint 1", 16).withUnsafeBytes { bytes in
            func number(_ start: Int) -> UInt64 {
                bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
            }
            return FingerprintKey(k0: number(0), k1: number(8))
        }
    }

    private static func derive(_ secret: SymmetricKey, _ purpose: String, _ count: Int) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: secret, info: Array(purpose.utf8), outputByteCount: count)
    }
}
