/// The 29-bit keyed hash of a backend's name. It identifies the backend in the store, in a hint and in the cache.
///
/// Zero is never the hash of a backend; it marks a tombstone. Two backends of one service with the same hash are a
/// configuration error.
package struct BackendHash: Hashable, Sendable {
    package static let bitCount = 29
    package static let tombstone = BackendHash(bits: 0)

    /// Always below 2^29.
    package let bits: UInt32

    /// Keeps the low 29 bits.
    package init(bits: UInt32) {
        self.bits = bits & (1 << Self.bitCount - 1)
    }
}

/// "This session is served by this backend", with an epoch that grows at each informed change.
///
/// Epoch 0 is a guess, made without knowledge; it is never written to the store.
package struct Binding: Hashable, Sendable {
    /// The highest epoch that is written. A record with a higher one is foreign.
    package static let epochMax: UInt32 = 1 << 24 - 1 - 1000

    package var backend: BackendHash
    package var epoch: UInt32

    package init(backend: BackendHash, epoch: UInt32) {
        self.backend = backend
        self.epoch = epoch
    }

    package var isTombstone: Bool { backend == .tombstone }

    /// The record as the store keeps it: `backendHash << 24 | epoch`, below 2^53, so that Redis stores it as an integer
    /// and Lua's doubles represent it exactly.
    package var record: UInt64 { UInt64(backend.bits) << 24 | UInt64(epoch) }

    /// The binding that a record encodes, or nil for a value that Limpet would not write.
    package init?(record: UInt64) {
        let epoch = UInt32(truncatingIfNeeded: record & (1 << 24 - 1))
        guard record < 1 << 53, epoch >= 1, epoch <= Self.epochMax else { return nil }
        self.init(backend: BackendHash(bits: UInt32(truncatingIfNeeded: record >> 24)), epoch: epoch)
    }
}

/// The hash and the placement seed that the fleet's key gives a backend's name.
struct BackendName {
    let hash: BackendHash
    /// Feeds rendezvous hashing.
    let seed: UInt64

    init(_ name: String, key: FingerprintKey) {
        var sip = SipHash(key)
        // No service name has this length, so a backend's hash and a fingerprint never have the same input.
        sip.absorb(.max)
        sip.absorb(prefixed: name.utf8)
        let (first, second) = sip.finish()
        let bits = UInt32(truncatingIfNeeded: first >> UInt64(64 - BackendHash.bitCount))
        hash = BackendHash(bits: bits == BackendHash.tombstone.bits ? 1 : bits)
        seed = second
    }
}

extension BackendHash {
    /// The hash of a backend's name under the fleet's key: the same on every replica, and never the tombstone.
    package static func of(name: String, key: FingerprintKey) -> BackendHash {
        BackendName(name, key: key).hash
    }
}
