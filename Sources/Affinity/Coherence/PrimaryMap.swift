/// Which primary of the store holds a session's record. Nothing else decides this. A store that is one server has one
/// primary, which holds the records of all sessions.
package struct PrimaryMap: Hashable, Sendable {
    /// 1 or more.
    package let count: Int

    package init(count: Int) {
        self.count = max(1, count)
    }

    /// The primary's number, from 0. Several primaries share the sessions evenly.
    package func primary(of fingerprint: Fingerprint) -> Int {
        count == 1 ? 0 : Int(fingerprint.high % UInt64(count))
    }
}
