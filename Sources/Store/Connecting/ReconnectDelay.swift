/// How long one event loop waits before it tries to connect again. Full jitter keeps replicas that lost the store
/// together from returning to it together.
package struct ReconnectDelay: Sendable {
    /// The longest wait before the first attempt, in milliseconds.
    package static let first: Int64 = 100
    /// The longest wait of all, in milliseconds, so that a recovered store is found soon.
    package static let longest: Int64 = 2000

    private var ceiling = first

    package init() {}

    /// The wait in milliseconds: uniformly distributed from 0 to a ceiling that doubles with each call.
    ///
    /// - Parameter random: 64 random bits.
    package mutating func next(random: UInt64) -> Int64 {
        let range = UInt64(ceiling + 1)
        ceiling = min(ceiling * 2, Self.longest)
        return Int64(random.multipliedFullWidth(by: range).high)
    }

    /// Resets the ceiling after the connection has proved useful.
    package mutating func reset() {
        ceiling = Self.first
    }
}
