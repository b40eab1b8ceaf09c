import Affinity

/// Recently verified credentials, as keyed hashes of user name, stored hash and password, so that only a user's first
/// request pays for the check. Pure.
///
/// Bounded: the least recently used entries are dropped first, in halves of ``capacity``. A changed line of the user
/// list has another digest, so it is unknown at once.
struct VerifiedCredentials {
    /// HMAC-SHA-256 under a key of the process.
    struct Digest: Hashable, Sendable {
        let words: SIMD4<UInt64>
    }

    static let capacity = 1024
    /// In milliseconds.
    static let lifetimeMilliseconds: Int64 = 5 * 60 * 1000

    /// The time at which each entry ends. A lookup moves an entry from the old half to the young one.
    private var young: [Digest: Instant] = [:]
    private var old: [Digest: Instant] = [:]

    var count: Int { young.count + old.count }

    mutating func add(_ digest: Digest, now: Instant) {
        keep(digest, until: now.advanced(byMilliseconds: Self.lifetimeMilliseconds))
    }

    mutating func contains(_ digest: Digest, now: Instant) -> Bool {
        if let end = young[digest] {
            if now < end { return true }
            young[digest] = nil
        } else if let end = old.removeValue(forKey: digest), now < end {
            keep(digest, until: end)
            return true
        }
        return false
    }

    private mutating func keep(_ digest: Digest, until end: Instant) {
        old[digest] = nil
        young[digest] = end
        guard young.count > Self.capacity / 2 - 1 else { return }
        old = young
        young = [:]
    }
}
