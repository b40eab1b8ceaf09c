/// What the fleet's key makes of a backend's name.
struct BackendName {
    let hash: BackendHash
    /// Feeds rendezvous hashing.
    let seed: UInt64

    init(_ name: String, key: FingerprintKey) {
        var sip = SipHash(key)
        // No service has a name of this length: a backend's hash is never half of a fingerprint.
        sip.absorb(.max)
        sip.absorb(prefixed: name.utf8)
        let (first, second) = sip.finish()
        let bits = UInt32(truncatingIfNeeded: first >> UInt64(64 - BackendHash.bitCount))
        hash = BackendHash(bits: bits == BackendHash.tombstone.bits ? 1 : bits)
        seed = second
    }
}

extension BackendHash {
    /// The hash of a backend's name under the fleet's key: the same on every replica, and never the tombstone's.
    package static func of(name: String, key: FingerprintKey) -> BackendHash {
        BackendName(name, key: key).hash
    }
}
