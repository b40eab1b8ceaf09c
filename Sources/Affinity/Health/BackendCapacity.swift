import Synchronization

/// How many requests all event loops of a replica have under way at one backend, and which loops wait for one to end.
/// Places are given in the order in which they were asked for, whichever loop asked. Used only where the backend has a
/// limit.
///
/// The limit is an argument: a new configuration changes it without a moment in which nothing counts.
package final class BackendCapacity: Sendable {
    package typealias Ticket = WaitQueue<Wake>.Ticket
    /// Tells a loop, in a later turn of it, that it was given a place. It gives the place to one of its own requests,
    /// or back by ``leave(limit:)``.
    package typealias Wake = @Sendable () -> Void

    package enum Admission: Equatable, Sendable {
        case admitted
        /// `wake` will be called, unless ``stopWaiting(_:)`` comes first.
        case waits(Ticket)
        /// The queue is full.
        case full
    }

    package struct Counts: Equatable, Sendable {
        /// Requests that have a place, and those that wait for one.
        package var underWay = 0
        package var waiting = 0
        /// Requests that had to wait, since the replica's start; and those for which the queue had no room.
        package var waited: UInt64 = 0
        package var refused: UInt64 = 0

        package init(underWay: Int = 0, waiting: Int = 0, waited: UInt64 = 0, refused: UInt64 = 0) {
            self.underWay = underWay
            self.waiting = waiting
            self.waited = waited
            self.refused = refused
        }
    }

    private struct State {
        var counts = Counts()
        var queue = WaitQueue<Wake>()

        /// Gives free places to those that wait.
        mutating func admit(limit: Int) -> [Wake] {
            var woken: [Wake] = []
            while counts.underWay < limit, let wake = queue.popFirst() {
                counts.underWay += 1
                woken.append(wake)
            }
            return woken
        }
    }

    private let state = Mutex(State())
    private let full = Atomic(false)

    package init() {}

    /// Whether a request would have to wait. Read without a lock: placement may learn it a moment late.
    package var isFull: Bool { full.load(ordering: .relaxed) }

    package var counts: Counts {
        state.withLock { state in
            var counts = state.counts
            counts.waiting = state.queue.count
            return counts
        }
    }

    /// A request asks for a place.
    /// - Parameter queueSize: how many may wait, on all loops together; 0 if this one may not.
    package func enter(limit: Int, queueSize: Int, wake: @escaping Wake) -> Admission {
        state.withLock { state in
            defer { note(state, limit) }
            if state.queue.isEmpty, state.counts.underWay < limit {
                state.counts.underWay += 1
                return .admitted
            }
            guard let ticket = state.queue.append(wake, capacity: queueSize) else {
                state.counts.refused &+= 1
                return .full
            }
            state.counts.waited &+= 1
            return .waits(ticket)
        }
    }

    /// A request that had a place has ended, or a loop has nobody left for the place it was given.
    package func leave(limit: Int) {
        wake(limit) { $0.counts.underWay -= 1 }
    }

    /// The limit may have been raised.
    package func reconfigured(limit: Int) {
        wake(limit) { _ in }
    }

    /// A request has left its loop's queue. A place that is on its way to the loop then goes to the next one there.
    package func stopWaiting(_ ticket: Ticket) {
        state.withLock { state in _ = state.queue.remove(ticket) }
    }

    private func wake(_ limit: Int, after change: (inout State) -> Void) {
        let woken = state.withLock { state in
            change(&state)
            defer { note(state, limit) }
            return state.admit(limit: limit)
        }
        for wake in woken { wake() }
    }

    private func note(_ state: borrowing State, _ limit: Int) {
        full.store(state.counts.underWay >= limit || !state.queue.isEmpty, ordering: .relaxed)
    }
}
