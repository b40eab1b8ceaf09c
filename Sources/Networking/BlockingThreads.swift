import NIOPosix
import Synchronization

/// Threads for system calls that may take long: file access, possibly over a network, and host name lookups. Swift's
/// own threads are few, and everything waits for them, including the end of the process.
///
/// A thread is started when all others are busy, and kept.
package final class BlockingThreads: Sendable {
    package typealias Work = @Sendable () -> Void

    /// For files. More threads than a replica ever blocks at once, counting both reading and watching.
    package static let files = BlockingThreads(limit: 4)

    private struct State {
        /// Pools of one thread each, so that each thread is known to be free or busy.
        var free: [NIOThreadPool] = []
        var started = 0
        var waiting: [Work] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: the maximum number of threads.
    package init(limit: Int) {
        self.limit = limit
    }

    deinit {
        // Only free threads are left: a busy thread retains this object.
        for thread in state.withLock({ $0.free }) { thread.shutdownGracefully { _ in } }
    }

    /// Runs the work on a free thread or a new one. If the limit is reached, the work waits its turn.
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

    /// Returns immediately if the task is cancelled. Work that has begun then continues; work that has not is dropped.
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

    /// The work that has waited longest. Nil if none is waiting; the thread is then free.
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
