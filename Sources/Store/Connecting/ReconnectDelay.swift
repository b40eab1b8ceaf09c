/// How long one event loop waits before it tries to connect again: full jitter, so that replicas that lost the store
/// together do not return to it together.
package struct ReconnectDelay: Sendable {
    /// The longest wait before the first attempt, in milliseconds.
    package static let first: Int64 = 100
    /// The longest wait of all, in milliseconds: a store that is back is found soon after.
    package static let longest: Int64 = 2000

    private var ceiling = first

    package init() {}

    /// The milliseconds to wait: evenly from 0 to a ceiling that doubles with each call.
    ///
    /// - Parameter random: 64 random bits.
    package mutating func next(random: UInt64) -> Int64 {
        let range = UInt64(ceiling + 1)
        ceiling = min(ceiling * 2, Self.longest)
        return Int64(random.multipliedFullWidth(by: range).high)
    }

    /// The connection has proved itself.
    package mutating func reset() {
        ceiling = Self.first
    }
}
