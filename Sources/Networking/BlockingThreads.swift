import NIOPosix
import Synchronization

/// Threads for calls of the system that may take their time: files, which may lie across a network, and names of hosts.
/// Swift's own threads are few, and everything waits for them, the end of the process too.
///
/// A thread is started when all others are busy, and kept.
package final class BlockingThreads: Sendable {
    package typealias Work = @Sendable () -> Void

    /// For files: more threads than a replica ever blocks at once, for what it reads and for what it watches.
    package static let files = BlockingThreads(limit: 4)

    private struct State {
        /// Of one thread each, so that what is free can be told from what is not.
        var free: [NIOThreadPool] = []
        var started = 0
        var waiting: [Work] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: how many threads are started at most.
    package init(limit: Int) {
        self.limit = limit
    }

    deinit {
        // Only free ones are left: a thread that is busy holds on to this object.
        for thread in state.withLock({ $0.free }) { thread.shutdownGracefully { _ in } }
    }

    /// Does the work on a thread that is free, or a new one; in its turn where there are as many as there may be.
    package func submit(_ work: @escaping Work) {
        let thread = state.withLock { state -> NIOThreadPool? in
            if let thread = state.free.popLast() { return thread }
            guard state.started < limit else {
                state.waiting.append(work)
                return nil
            }
            state.started += 1
            return NIOThreadPool(numberOfThreads: 1)
        }
        guard let thread else { return }
        thread.start()
        thread.submit { _ in
            var next: Work? = work
            while let work = next {
                work()
                next = self.next(for: thread)
            }
        }
    }

    /// Ends at once where the task is cancelled; the work may go on then, unless it has not begun.
    package func run<Value: Sendable>(
        _ work: @escaping @Sendable () -> Value
    ) async throws(CancellationError) -> Value {
        let (values, continuation) = AsyncStream.makeStream(of: Value.self, bufferingPolicy: .bufferingOldest(1))
        let isAbandoned = Abandonment()
        continuation.onTermination = { if case .cancelled = $0 { isAbandoned.flag.store(true, ordering: .relaxed) } }
        submit {
            if !isAbandoned.flag.load(ordering: .relaxed) { continuation.yield(work()) }
            continuation.finish()
        }
        for await value in values { return value }
        throw CancellationError()
    }

    /// What waits longest; nil where nothing does, and then the thread is free.
    private func next(for thread: NIOThreadPool) -> Work? {
        state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free.append(thread)
            return nil
        }
    }

    private final class Abandonment: Sendable {
        let flag = Atomic(false)
    }
}
