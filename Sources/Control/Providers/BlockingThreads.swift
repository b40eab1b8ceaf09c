import NIOPosix
import Synchronization

/// Threads for what the system may take its time with: files, which may lie across a network, and names of machines.
/// Swift's own threads are few, and everything waits for them, the end of the process too.
enum BlockingThreads {
    /// More than ever wait at once in one replica: for its files, for what is watched, and for a name.
    private static let count = 4

    private static let pool = {
        let pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
        return pool
    }()

    /// Ends at once where the task is cancelled; the work may go on then, unless it has not begun.
    static func run<Value: Sendable>(
        _ work: @escaping @Sendable () -> Value
    ) async throws(CancellationError) -> Value {
        let (values, continuation) = AsyncStream.makeStream(of: Value.self, bufferingPolicy: .bufferingOldest(1))
        let isAbandoned = Abandonment()
        continuation.onTermination = { if case .cancelled = $0 { isAbandoned.flag.store(true, ordering: .relaxed) } }
        pool.submit { _ in
            if !isAbandoned.flag.load(ordering: .relaxed) { continuation.yield(work()) }
            continuation.finish()
        }
        for await value in values { return value }
        throw CancellationError()
    }

    private final class Abandonment: Sendable {
        let flag = Atomic(false)
    }
}
