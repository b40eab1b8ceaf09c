package import Affinity
package import NIOCore

/// One primary of the store, as an event loop without a connection sees it: operations are forwarded to a loop that has
/// one. Those of one turn of the loop leave together, and so do the results of a turn of the other. Confined to
/// `eventLoop`, from `start` to the end of `stop`.
///
/// At most once, and within the budget, as by ``RedisStore``: the budget counts from the request's asking and is
/// watched on this loop, so a busy loop at the other end holds nobody up for longer. After three operations without a
/// word from there, no more are forwarded until there is one.
package final class ForwardingStore: BindingStore {
    package let eventLoop: any EventLoop
    /// Read on the loop. Operations are counted here, the rest at the store that has the connection.
    package private(set) var counters = StoreCounters()
    private let target: ForwardingTarget
    private var queue: ForwardedQueue
    private var outgoing: [ForwardedOperation] = []
    private var postponed: [(ForwardedQueue.PendingOperation, StoreFailure)] = []
    private var isTickScheduled = false
    private var timer: NIOScheduledCallback?
    /// Operations of requests whose budget has ended since anything was received from the other loop.
    private var misses = 0
    private var receiver: NIOLoopBoundBox<ForwardingReceiver?>?
    private var isStopped = false

    package init(eventLoop: any EventLoop, target: ForwardingTarget) {
        self.eventLoop = eventLoop
        self.target = target
        queue = ForwardedQueue(budgetNanoseconds: target.budgetNanoseconds)
    }

    /// A single server is available for all sessions or for none.
    package func isAvailable(for _: Fingerprint) -> Bool { isAvailable }

    /// Whether an operation would be forwarded now.
    package var isAvailable: Bool {
        target.availability.isAvailable && misses < StoreBreaker.missesToOpen && receiver != nil
    }

    package func send(_ operation: StoreOperation, for waiter: any StoreWaiter) {
        let now = Instant.now
        if waiter.isCounted { counters.countSent(operation) }
        let failure: StoreFailure
        if !operation.isWritable {
            failure = .refused
        } else if !isAvailable {
            failure = .away
        } else if let number = queue.add(operation, for: waiter, now: now) {
            outgoing.append(
                ForwardedOperation(
                    number: number, operation: operation, sentAt: now, isBackground: waiter.isBackground))
            arm(now: now)
            return flushSoon()
        } else {
            failure = .full
        }
        postponed.append((.init(operation: operation, waiter: waiter, sentAt: now), failure))
        flushSoon()
    }

    private func flushSoon() {
        guard !isTickScheduled else { return }
        isTickScheduled = true
        eventLoop.assumeIsolated().execute { self.tick() }
    }

    /// At the end of this turn of the loop, forwards the operations, and reports those that could not be.
    private func tick() {
        isTickScheduled = false
        if !outgoing.isEmpty, let receiver {
            let batch = outgoing
            outgoing = []
            outgoing.reserveCapacity(batch.count)
            target.eventLoop.execute { receiver.value?.receive(batch) }
        }
        guard !postponed.isEmpty else { return }
        let told = postponed
        postponed.removeAll()
        for (pending, failure) in told {
            deliver(pending, .unavailable(failure), isFromChannelServer: false, now: pending.sentAt)
        }
    }

    private func deliver(
        _ pending: ForwardedQueue.PendingOperation, _ result: StoreResult, isFromChannelServer: Bool, now: Instant
    ) {
        if pending.waiter.isCounted {
            counters.countAnswered(result, microseconds: (now.nanoseconds &- pending.sentAt.nanoseconds) / 1000)
        }
        let stamp = OperationStamp(sentAt: pending.sentAt, isFromChannelServer: isFromChannelServer)
        pending.waiter.storeAnswered(result, to: pending.operation, stamp: stamp)
    }

    /// Results have come from the loop that has the connection.
    func received(_ results: [ForwardedResult]) {
        misses = 0
        let now = Instant.now
        for each in results {
            guard let pending = queue.report(each.number) else { continue }
            deliver(pending, each.result, isFromChannelServer: each.isFromChannelServer, now: now)
        }
    }

    // MARK: Life

    /// Operations may be forwarded from now on.
    package func start() {
        guard receiver == nil, !isStopped else { return }
        let receiver = NIOLoopBoundBox.makeEmptyBox(valueType: ForwardingReceiver.self, eventLoop: target.eventLoop)
        let origin = NIOLoopBound(self, eventLoop: eventLoop)
        let store = target.store
        target.eventLoop.execute { receiver.value = ForwardingReceiver(store: store.value, origin: origin) }
        self.receiver = receiver
    }

    /// Reports a result to all waiters. Must precede the stop of the store that has the connection. The store cannot be
    /// started again.
    package func stop() {
        isStopped = true
        timer?.cancel()
        timer = nil
        if let receiver { target.eventLoop.execute { receiver.value = nil } }
        receiver = nil
        outgoing = []
        tick()
        while let lost = queue.nextLost() {
            deliver(lost, .unavailable(.lost), isFromChannelServer: false, now: .now)
        }
    }
}

// MARK: - The budget

extension ForwardingStore: NIOScheduledCallbackHandler {
    /// Makes sure that the timer runs. A timer that fires early is set again, which avoids cancelling it with every
    /// result.
    private func arm(now: Instant) {
        guard let due = queue.nextDeadline, timer == nil, !isStopped else { return }
        let wait = TimeAmount.nanoseconds(max(0, due.nanoseconds &- now.nanoseconds))
        timer = try? eventLoop.assumeIsolated().scheduleCallback(in: wait, handler: self)
    }

    package func handleScheduledCallback(eventLoop: some EventLoop) {
        timer = nil
        // A loop that was busy first takes the results that wait for it.
        self.eventLoop.assumeIsolated().execute { self.reportLate() }
    }

    private func reportLate() {
        let now = Instant.now
        while let late = queue.nextLate(now: now) {
            if !late.waiter.isBackground { misses += 1 }
            deliver(late, .unavailable(.late), isFromChannelServer: false, now: now)
        }
        arm(now: now)
    }
}
