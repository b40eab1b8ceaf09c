import Synchronization

/// The periods in which the store is there and all replicas are synced. A session that was placed in one, a second
/// before its end, is known to every replica from then on.
final class SoakCalm: Sendable {
    /// A session's beginning.
    struct Birth: Sendable {
        fileprivate let period: Int
        fileprivate let time: ContinuousClock.Instant
    }

    enum Age {
        /// Its replica alone may know it.
        case young
        case known
        /// The calm ended before it was a second old.
        case lost
    }

    private let state = Mutex((period: 0, isCalm: false))

    func begin() {
        state.withLock { state in
            guard !state.isCalm else { return }
            state = (state.period + 1, true)
        }
    }

    func end() { state.withLock { $0.isCalm = false } }

    /// Places a session by `body`; the birth is nil unless it is calm all the while.
    func birth<Value>(_ body: () throws -> Value) rethrows -> (value: Value, birth: Birth?) {
        let before = state.withLock { $0 }
        let value = try body()
        let after = state.withLock { $0 }
        guard before.isCalm, after == before else { return (value, nil) }
        return (value, Birth(period: before.period, time: .now))
    }

    func age(of birth: Birth) -> Age {
        let now = state.withLock { $0 }
        guard now.isCalm, now.period == birth.period else { return .lost }
        return birth.time.duration(to: .now) > .seconds(1) ? .known : .young
    }
}
