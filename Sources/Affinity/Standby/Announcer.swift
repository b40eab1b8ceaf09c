/// When this replica announces which sessions. One message is in flight at a time; it is sent again until the store has
/// answered it.
struct Announcer: Sendable {
    struct Message: Equatable, Sendable {
        var sessions: [Fingerprint]
        var hasLeftOut: Bool
    }

    /// Milliseconds that a session waits for others at most.
    static let delayMilliseconds: Int64 = 50
    /// Milliseconds before a message without a result is sent again.
    private static let retryMilliseconds: Int64 = 100
    /// In nanoseconds: what the fleet may send and receive together. A delivery costs the server some 12 µs, so that
    /// 4,000 deliveries a second take 5 % of its time. With R replicas, each sends to R.
    private static let gapNanoseconds: Int64 = 1_000_000_000 / 4000
    /// In nanoseconds: what a late tick may be made up for.
    private static let burstNanoseconds: Int64 = 10_000_000

    private var inFlight: Message?
    private var isSent = false
    private var pace = Pace()
    private(set) var sent: UInt64 = 0

    /// The message to send now.
    mutating func due(
        _ written: WrittenSessions, primary: Int, replicas: Int, now: Instant
    ) -> Message? {
        guard !isSent, pace.isDue(now) else { return nil }
        if inFlight == nil {
            inFlight = written.next(primary: primary, delayMilliseconds: Self.delayMilliseconds, now: now).map {
                Message(sessions: $0.sessions, hasLeftOut: $0.hasLeftOut)
            }
        }
        guard let inFlight else { return nil }
        isSent = true
        let replicas = Int64(max(1, replicas))
        pace.step(
            intervalNanoseconds: Self.gapNanoseconds &* replicas &* replicas,
            madeUpNanoseconds: Self.burstNanoseconds, now: now)
        return inFlight
    }

    /// The store has published the message, or has not answered it.
    mutating func answered(isPublished: Bool, now: Instant) {
        isSent = false
        if isPublished {
            sent &+= 1
            inFlight = nil
        } else {
            pace.pause(milliseconds: Self.retryMilliseconds, now: now)
        }
    }

    /// Nothing is announced any more.
    mutating func removeAll() {
        inFlight = nil
    }
}
