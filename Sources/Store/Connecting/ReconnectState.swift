import Affinity

/// Decides when and where one connection to a primary is made, and when it is retried. Events in, actions out.
///
/// An attempt tries all addresses of its endpoint, each as soon as the one before has failed: it did not connect, was
/// not verified, or is not a server to use, as a replica is not. When all have failed, the attempt has.
struct ReconnectState {
    enum Phase: Equatable {
        /// Not started.
        case idle
        /// Waiting for the next attempt.
        case waiting
        /// The endpoint's addresses are being looked up.
        case resolving
        case connecting
        /// Connected; the first commands are not answered yet.
        case greeting
        case serving(since: Instant)
        case stopped
    }

    enum Action: Equatable {
        case doNothing
        /// Look up the endpoint's addresses, and report with `resolved`.
        case resolve(RedisEndpoint)
        /// Connect to the address with this index. No other follows if it is the last one.
        case connect(Int, isLast: Bool)
        /// Call `attemptIsDue` after this many milliseconds.
        case wait(Int64)
        /// Forget the attempt under way, and call `attemptIsDue` now.
        case tryAgain
        /// End the connection with ``StoreError/replaced``.
        case end
    }

    /// A connection that lasted at least this long, in milliseconds, was a good one: the next attempt may be made soon.
    static let goodAgeMilliseconds: Int64 = 5000

    /// Further addresses of a name are not tried.
    static let mostAddresses = 16

    private(set) var phase = Phase.idle
    /// The endpoint of the last attempt. Nil before the first.
    private(set) var endpoint: RedisEndpoint?
    private var failure: ConnectionFailure?
    private var delay = ReconnectDelay()
    /// The address that is tried, and how many there are.
    private var address = (index: 0, count: 0)

    /// The first attempt is due, or the wait is over.
    ///
    /// - Parameters:
    ///   - source: provides the endpoint.
    ///   - isAdmitted: whether the pacing of the primary's connections admits an attempt. Evaluated only if an attempt
    ///     would be made, because it then counts as made.
    ///   - random: 64 random bits.
    mutating func attemptIsDue(
        from source: some EndpointSource, isAdmitted: @autoclosure () -> Bool, random: UInt64
    ) -> Action {
        switch phase {
        case .idle, .waiting: break
        case .resolving, .connecting, .greeting, .serving, .stopped: return .doNothing
        }
        let next = source.next(after: failure)
        failure = nil
        guard let next, isAdmitted() else { return wait(random) }
        endpoint = next
        phase = .resolving
        return .resolve(next)
    }

    /// The endpoint's addresses are known.
    ///
    /// - Parameter count: at least 1.
    mutating func resolved(count: Int) -> Action {
        guard case .resolving = phase else { return .doNothing }
        address = (0, min(count, Self.mostAddresses))
        return connect()
    }

    /// The connection is established. False if it is no longer wanted.
    mutating func connected() -> Bool {
        guard case .connecting = phase else { return false }
        phase = .greeting
        return true
    }

    /// The first commands succeeded. False if no replies were expected.
    mutating func greeted(now: Instant) -> Bool {
        guard case .greeting = phase else { return false }
        phase = .serving(since: now)
        return true
    }

    /// The connection has proved useful: the next wait is a short one.
    mutating func proved() {
        delay.reset()
    }

    /// The primary is at another endpoint.
    mutating func endpointChanged(to other: RedisEndpoint?) -> Action {
        delay.reset()
        failure = nil
        switch phase {
        case .idle, .stopped: return .doNothing
        case .waiting: return .tryAgain
        case .resolving, .connecting:
            guard other != endpoint else { return .doNothing }
            phase = .waiting
            return .tryAgain
        case .greeting, .serving: return other == endpoint ? .doNothing : .end
        }
    }

    /// The lookup or an address failed, or the connection ended.
    mutating func failed(_ error: StoreError, now: Instant, random: UInt64) -> Action {
        switch phase {
        case .idle, .waiting, .stopped: return .doNothing
        case _ where error == .replaced:
            phase = .waiting
            return .tryAgain
        case .serving(let since): if now.milliseconds(since: since) >= Self.goodAgeMilliseconds { delay.reset() }
        case .resolving: break
        case .connecting, .greeting:
            if address.index + 1 < address.count {
                address.index += 1
                return connect()
            }
        }
        failure = endpoint.map { ConnectionFailure(endpoint: $0, error: error) }
        return wait(random)
    }

    /// Stops for good.
    mutating func stop() {
        phase = .stopped
    }

    private mutating func connect() -> Action {
        phase = .connecting
        return .connect(address.index, isLast: address.index + 1 >= address.count)
    }

    private mutating func wait(_ random: UInt64) -> Action {
        phase = .waiting
        return .wait(delay.next(random: random))
    }
}
