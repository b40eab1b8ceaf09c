import Affinity

/// When one connection to a primary is made, where to, and when again. Events in, actions out.
struct ReconnectState {
    enum Phase: Equatable {
        /// Not started.
        case idle
        /// The next attempt is to come.
        case waiting
        case connecting
        /// Connected; the first commands are not answered yet.
        case greeting
        case serving(since: Instant)
        case stopped
    }

    enum Action: Equatable {
        case doNothing
        case connect(RedisEndpoint)
        /// `attemptIsDue` then, in milliseconds from now.
        case wait(Int64)
    }

    /// A connection lost after this long, in milliseconds, was a good one: the next may be made soon.
    static let goodAgeMilliseconds: Int64 = 5000

    private(set) var phase = Phase.idle
    /// Of the last attempt; nil before the first.
    private(set) var endpoint: RedisEndpoint?
    private var failure: ConnectionFailure?
    private var delay = ReconnectDelay()

    /// It is time to attempt: the first time, or the wait is over.
    ///
    /// - Parameters:
    ///   - isAdmitted: whether the pace of the primary's connections admits the attempt. Looked at only where one would
    ///     be made, for it then counts as made.
    ///   - random: 64 random bits.
    mutating func attemptIsDue(
        from source: some EndpointSource, isAdmitted: @autoclosure () -> Bool, random: UInt64
    ) -> Action {
        switch phase {
        case .idle, .waiting: break
        case .connecting, .greeting, .serving, .stopped: return .doNothing
        }
        let next = source.next(after: failure)
        failure = nil
        guard let next, isAdmitted() else { return wait(random) }
        endpoint = next
        phase = .connecting
        return .connect(next)
    }

    /// The connection is made. False where nobody wants it any more.
    mutating func connected() -> Bool {
        guard case .connecting = phase else { return false }
        phase = .greeting
        return true
    }

    /// The first commands are answered well. False where no answer was awaited.
    mutating func greeted(now: Instant) -> Bool {
        guard case .greeting = phase else { return false }
        phase = .serving(since: now)
        return true
    }

    /// The connection has shown what it was made for: the next wait is a short one.
    mutating func proved() {
        delay.reset()
    }

    /// The attempt has failed, or the connection has ended.
    mutating func failed(_ error: StoreError, now: Instant, random: UInt64) -> Action {
        switch phase {
        case .idle, .waiting, .stopped: return .doNothing
        case .serving(let since): if now.milliseconds(since: since) >= Self.goodAgeMilliseconds { delay.reset() }
        case .connecting, .greeting: break
        }
        failure = endpoint.map { ConnectionFailure(endpoint: $0, error: error) }
        return wait(random)
    }

    /// For good.
    mutating func stop() {
        phase = .stopped
    }

    private mutating func wait(_ random: UInt64) -> Action {
        phase = .waiting
        return .wait(delay.next(random: random))
    }
}
