/// How many replicas there are, this one included, as far as it has heard them: they share what a fleet may send.
struct ReplicaCount: Sendable {
    /// Milliseconds added to the longest interval between two messages of a replica.
    private static let marginMilliseconds: Int64 = 100

    /// The last count that is trusted; nil: not counted yet.
    private(set) var counted: Int?
    private var heard = 0

    /// The least that is known.
    var atLeast: Int { max(counted ?? 1, heard + 1) }

    /// Milliseconds in which every replica that is there has been heard.
    var presenceMilliseconds: Int64 {
        FleetRoster.intervalMilliseconds(replicas: atLeast) + Self.marginMilliseconds
    }

    /// A count is trusted once the channel has been live for this long, and for as long as a fleet of this size takes
    /// to be heard. Until then, the last one holds.
    mutating func update(heard: Int, liveSince: Instant?, settledMilliseconds: Int64, now: Instant) {
        self.heard = heard
        guard let liveSince else { return }
        if now >= liveSince.advanced(byMilliseconds: max(settledMilliseconds, presenceMilliseconds)) {
            counted = heard + 1
        }
    }
}
