import Affinity
import NIOCore

/// Sends the operations that one other loop forwards, and returns their results. Confined to the loop of the store.
final class ForwardingReceiver {
    private let store: RedisStore
    private let origin: NIOLoopBound<ForwardingStore>
    private let budgetNanoseconds: Int64
    private var results: [ForwardedResult] = []
    private var isFlushScheduled = false

    init(store: RedisStore, origin: NIOLoopBound<ForwardingStore>) {
        self.store = store
        self.origin = origin
        budgetNanoseconds = store.primary.settings.commandTimeout.wholeNanoseconds
    }

    func receive(_ operations: [ForwardedOperation]) {
        let now = Instant.now
        for each in operations {
            guard let failure = send(each, now: now) else { continue }
            report(ForwardedResult(number: each.number, result: .unavailable(failure), isFromChannelServer: false))
        }
    }

    /// Why it was not sent. If its budget is over, nobody waits for it.
    private func send(_ each: ForwardedOperation, now: Instant) -> StoreFailure? {
        guard now.nanoseconds &- each.sentAt.nanoseconds < budgetNanoseconds else { return .late }
        let waiter = ForwardedWaiter(number: each.number, isBackground: each.isBackground, receiver: self)
        return store.send(each.operation, for: waiter, askedAt: each.sentAt, now: now)
    }

    /// Exactly once for each operation.
    fileprivate func report(_ result: ForwardedResult) {
        results.append(result)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        store.eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func flush() {
        isFlushScheduled = false
        let batch = results
        results = []
        results.reserveCapacity(batch.count)
        let origin = origin
        origin.eventLoop.execute { origin.value.received(batch) }
    }
}

/// Waits for the result of an operation that another loop has forwarded. That loop counts it.
private final class ForwardedWaiter: StoreWaiter {
    private let number: UInt64
    let isBackground: Bool
    private let receiver: ForwardingReceiver

    init(number: UInt64, isBackground: Bool, receiver: ForwardingReceiver) {
        self.number = number
        self.isBackground = isBackground
        self.receiver = receiver
    }

    var isCounted: Bool { false }

    func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        receiver.report(
            ForwardedResult(number: number, result: result, isFromChannelServer: stamp.isFromChannelServer))
    }
}
