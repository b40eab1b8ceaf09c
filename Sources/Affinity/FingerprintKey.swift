/// The fleet's 128-bit hashing key, derived from the fleet secret. It fixes fingerprints and the order of placement, so
/// it is the same on every replica, and it never stands in a log: its description hides it.
package struct FingerprintKey: Sendable, CustomStringConvertible {
    let k0: UInt64
    let k1: UInt64

    package init(k0: UInt64, k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    package var description: String { "FingerprintKey(hidden)" }
}
