package import Affinity
package import NIOCore

/// The store of a single replica: records in its own memory, as one event loop sees them. Confined to that loop.
///
/// Always available. What it answers it decides at once, and tells at the end of the loop's turn.
package final class MemoryStore: BindingStore {
    private struct Told {
        let waiter: any StoreWaiter
        let question: StoreQuestion
        let answer: StoreAnswer
        let asking: Asking
    }

    private let records: MemoryRecords
    private let eventLoop: any EventLoop
    /// Read on the loop.
    package private(set) var counters = StoreCounters()
    private var answers: [Told] = []

    /// - Parameter records: shared with the stores of the replica's other loops.
    package init(records: MemoryRecords, eventLoop: any EventLoop) {
        self.records = records
        self.eventLoop = eventLoop
    }

    package func isAvailable(for _: Fingerprint) -> Bool { true }

    package func ask(_ question: StoreQuestion, for waiter: any StoreWaiter) {
        let now = Instant.now
        counters.countAsked(question)
        if answers.isEmpty { eventLoop.assumeIsolated().execute { self.tell() } }
        let answer = records.answer(question, now: now)
        answers.append(Told(waiter: waiter, question: question, answer: answer, asking: Asking(at: now)))
    }

    private func tell() {
        let told = answers
        answers.removeAll()
        let now = Instant.now
        for each in told {
            counters.countAnswered(each.answer, microseconds: (now.nanoseconds &- each.asking.at.nanoseconds) / 1000)
            each.waiter.storeAnswered(each.answer, to: each.question, asked: each.asking)
        }
    }
}
