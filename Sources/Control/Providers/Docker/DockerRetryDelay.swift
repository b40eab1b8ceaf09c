/// How long to wait before the Engine is tried again: with full jitter, so that replicas that lost the Engine together
/// do not all reconnect at once.
struct DockerRetryDelay: Sendable {
    /// The longest wait before the first attempt, in milliseconds.
    static let first: Int64 = 200
    /// The longest wait of all, in milliseconds. A connection that lasted this long counts as stable.
    static let longest: Int64 = 30_000

    private var ceiling = first

    /// The milliseconds to wait: uniformly distributed from 0 to a ceiling that doubles with each call.
    ///
    /// - Parameter random: 64 random bits.
    mutating func next(random: UInt64) -> Int64 {
        let range = UInt64(ceiling + 1)
        ceiling = min(ceiling * 2, Self.longest)
        return Int64(random.multipliedFullWidth(by: range).high)
    }

    /// A connection was lost.
    ///
    /// - Parameter held: how long the connection lasted, in milliseconds.
    mutating func lost(held: Int64) {
        if held >= Self.longest { ceiling = Self.first }
    }
}
