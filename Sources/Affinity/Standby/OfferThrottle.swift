import Synchronization

/// How fast this replica tells the store what it may not know: the offers of all its event loops, and those that refill
/// the store, together.
///
/// A fleet may offer 20,000 a second, so that requests find room; each replica takes its share by the number of those
/// that it hears. Besides, a replica has at most 100 offers in flight, sends further ones only as these end, and none
/// while the store is slow.
package final class OfferThrottle: Sendable {
    /// Offers per second of the whole fleet: 9 % of a server's time.
    package static let offersPerSecond: Int64 = 20_000
    /// How often to ask for offers, in milliseconds.
    package static let tickMilliseconds: Int64 = 5
    /// A replica that has not counted the others yet takes the share that it would have among this many.
    static let uncountedReplicas = 100
    private static let inFlightMax = 100
    private static let pauseMilliseconds: Int64 = 100

    private struct State {
        /// By primary: the replicas that were heard on its channel.
        var replicas: [Int]
        var pace = Pace()
        var inFlight = 0
        /// How many may be in flight: 1 at first, and one more for each that ends in time.
        var window = 1

        var intervalNanoseconds: Int64 { Int64(replicas.max() ?? 1) * 1_000_000_000 / offersPerSecond }
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - primaries: the number of the store's primaries.
    ///   - replicas: the number of replicas; nil: not known yet.
    init(primaries: Int, replicas: Int? = nil) {
        state = Mutex(State(replicas: Array(repeating: replicas ?? Self.uncountedReplicas, count: primaries)))
    }

    /// Only the ``Standby`` of that primary calls this. An index out of range is ignored.
    func share(among replicas: Int, primary: Int) {
        state.withLock {
            guard $0.replicas.indices.contains(primary) else { return }
            $0.replicas[primary] = max(1, replicas)
        }
    }

    /// How many offers the caller may send now. It sends them at once, and gives back what it does not send.
    package func take(_ wanted: Int, now: Instant) -> Int {
        state.withLock {
            guard $0.pace.isDue(now) else { return 0 }
            // What is earned from one tick to the next.
            let earned = max(1, Self.tickMilliseconds * 1_000_000 / $0.intervalNanoseconds)
            let count = max(0, min(wanted, $0.window - $0.inFlight, Int(earned)))
            $0.inFlight += count
            $0.pace.step(intervalNanoseconds: Int64(count) * $0.intervalNanoseconds, madeUpNanoseconds: 0, now: now)
            return count
        }
    }

    /// The caller had fewer offers than it took.
    package func giveBack(_ count: Int) {
        state.withLock {
            $0.inFlight = max(0, $0.inFlight - count)
            $0.pace.giveBack(intervalNanoseconds: Int64(count) * $0.intervalNanoseconds)
        }
    }

    /// An offer has ended, with all that followed from its result.
    /// - Parameter isSlow: a result took more than a quarter of the budget, did not come, or was a refusal.
    package func ended(isSlow: Bool, now: Instant) {
        state.withLock {
            $0.inFlight = max(0, $0.inFlight - 1)
            guard isSlow else {
                $0.window = min(Self.inFlightMax, $0.window + 1)
                return
            }
            $0.window = 1
            $0.pace.pause(milliseconds: Self.pauseMilliseconds, now: now)
        }
    }
}

extension StoreResult {
    /// Whether the store, to judge by this result of an offer, has no room for further ones.
    package func isSlow(_ stamp: OperationStamp, budgetMilliseconds: Int64, now: Instant) -> Bool {
        switch self {
        case .unavailable, .readOnly: true
        case .written, .record, .absent, .foreign:
            now > stamp.sentAt.advanced(byMilliseconds: max(1, budgetMilliseconds / 4))
        }
    }
}
