import Affinity
import NIOCore

/// A request that waits until its backend is below its limit.
protocol CapacityWaiter: AnyObject {
    /// The request has a place at the backend.
    func capacityGranted(at pool: BackendPool)
}

/// A request's place at its backend, where that has a limit; or the one it waits for.
struct CapacityHold: ~Copyable {
    private enum State {
        case none
        case holds(BackendPool)
        case waits(BackendPool, WaitQueue<any CapacityWaiter>.Ticket, BackendCapacity.Ticket)
    }

    enum Admission {
        case admitted
        /// ``CapacityWaiter/capacityGranted(at:)`` follows, unless ``leave()`` comes first.
        case waits
        case full
    }

    private var state = State.none
    /// A request waits once: at the next backend it takes a place or goes on.
    private var hasWaited = false

    var isWaiting: Bool {
        if case .waits = state { true } else { false }
    }

    /// Leaves the place at another backend, and asks for one at this. Admits at once where there is no limit.
    mutating func enter(_ pool: BackendPool, for waiter: any CapacityWaiter) -> Admission {
        if case .holds(let held) = state, held === pool { return .admitted }
        leave()
        guard let limit = pool.limits.pool.maxRequests else { return .admitted }
        let admission = pool.state.capacity.enter(
            limit: limit, queueSize: hasWaited ? 0 : pool.limits.pool.queueSize, wake: pool.wake())
        switch admission {
        case .admitted:
            state = .holds(pool)
            return .admitted
        case .waits(let shared):
            // A place is granted in a later turn of the loop at the earliest.
            guard let ticket = pool.waiting.append(waiter) else {
                pool.state.capacity.stopWaiting(shared)
                return .full
            }
            hasWaited = true
            state = .waits(pool, ticket, shared)
            return .waits
        case .full:
            return .full
        }
    }

    /// The waiter was told that it has the place.
    mutating func granted(at pool: BackendPool) { state = .holds(pool) }

    /// Gives the place back, or stops waiting.
    mutating func leave() {
        switch state {
        case .none: break
        case .holds(let pool): pool.leaveCapacity()
        case .waits(let pool, let ticket, let shared):
            pool.waiting.remove(ticket)
            pool.state.capacity.stopWaiting(shared)
        }
        state = .none
    }
}

extension BackendPool {
    /// Tells this loop that it was given a place.
    fileprivate func wake() -> BackendCapacity.Wake {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return { bound.eventLoop.execute { bound.value.granted() } }
    }

    private func granted() {
        guard let waiter = waiting.popFirst() else { return leaveCapacity() }
        waiter.capacityGranted(at: self)
    }

    fileprivate func leaveCapacity() { state.capacity.leave(limit: limits.pool.maxRequests ?? .max) }
}
