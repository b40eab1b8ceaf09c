import Affinity
import NIOCore

/// The operations that one event loop has forwarded to a store on another, in order. Events in, actions out.
///
/// Each waits for its result until its budget is over, as seen on the loop that asked. It keeps its place until the
/// store reports it, so that what is under way between the loops is bounded, whatever happens to the store's loop.
struct ForwardedQueue {
    /// An operation with its waiter.
    struct PendingOperation {
        let operation: StoreOperation
        let waiter: any StoreWaiter
        let sentAt: Instant
    }

    private struct Entry {
        let operation: StoreOperation
        let sentAt: Instant
        /// Nil once the result was delivered.
        var waiter: (any StoreWaiter)?
        var isReported = false
    }

    private let budgetNanoseconds: Int64
    /// In sending order. The first has the number `firstNumber`.
    private var entries = CircularBuffer<Entry>(initialCapacity: 64)
    private var firstNumber: UInt64 = 0
    /// How many of the first entries have had their result.
    private var deliveredCount = 0
    /// The commands of the operations that have not been reported.
    private var commandCount = 0

    /// - Parameter budgetNanoseconds: how long an operation waits.
    init(budgetNanoseconds: Int64) {
        self.budgetNanoseconds = budgetNanoseconds
    }

    /// Queues an operation that is to be forwarded now, and returns its number. Nil if the queue is full: it takes as
    /// many commands as a connection.
    mutating func add(_ operation: StoreOperation, for waiter: any StoreWaiter, now: Instant) -> UInt64? {
        guard commandCount + 2 <= RedisConnectionState.capacity else { return nil }
        commandCount += operation.commandCount
        entries.append(Entry(operation: operation, sentAt: now, waiter: waiter))
        return firstNumber &+ UInt64(entries.count - 1)
    }

    /// The store is done with this operation. Nil if its waiter has had a result before.
    mutating func report(_ number: UInt64) -> PendingOperation? {
        guard number >= firstNumber, number - firstNumber < UInt64(entries.count) else { return nil }
        let place = Int(number - firstNumber)
        guard !entries[offset: place].isReported else { return nil }
        entries[offset: place].isReported = true
        commandCount -= entries[offset: place].operation.commandCount
        let pending = take(at: place)
        while entries.first?.isReported == true {
            entries.removeFirst()
            firstNumber &+= 1
            deliveredCount -= 1
        }
        return pending
    }

    /// When to check again whether something is late. Nil if nothing waits.
    var nextDeadline: Instant? {
        guard deliveredCount < entries.count else { return nil }
        return Instant(nanoseconds: entries[offset: deliveredCount].sentAt.nanoseconds &+ budgetNanoseconds)
    }

    /// Takes out the next operation whose budget is over.
    mutating func nextLate(now: Instant) -> PendingOperation? {
        guard let nextDeadline, now >= nextDeadline else { return nil }
        return take(at: deliveredCount)
    }

    /// Takes out the next operation that waits, because no results will be received any more.
    mutating func nextLost() -> PendingOperation? {
        deliveredCount < entries.count ? take(at: deliveredCount) : nil
    }

    private mutating func take(at place: Int) -> PendingOperation? {
        let entry = entries[offset: place]
        entries[offset: place].waiter = nil
        while deliveredCount < entries.count, entries[offset: deliveredCount].waiter == nil { deliveredCount += 1 }
        return entry.waiter.map { PendingOperation(operation: entry.operation, waiter: $0, sentAt: entry.sentAt) }
    }
}

/// An operation on its way to the loop that has a connection.
struct ForwardedOperation: Sendable {
    /// Its number in the ``ForwardedQueue``.
    let number: UInt64
    let operation: StoreOperation
    /// When the request asked. Its budget counts from here.
    let sentAt: Instant
    let isBackground: Bool
}

/// A result on its way back.
struct ForwardedResult: Sendable {
    let number: UInt64
    let result: StoreResult
    let isFromChannelServer: Bool
}

extension StoreOperation {
    /// The commands that it is sent as.
    var commandCount: Int {
        switch self {
        case .create, .offer, .read: 2
        case .restore, .rebind, .drop, .touch: 1
        }
    }
}
