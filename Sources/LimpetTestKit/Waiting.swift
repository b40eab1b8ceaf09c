#if canImport(Glibc)
import Glibc
#endif

/// Waits for the actions of another process or thread.
package enum Waiting {
    /// Calls `body` every few milliseconds for up to `seconds`. Returns its first value; nil if there was none. Blocks.
    package static func poll<Value>(within seconds: Double, _ body: () throws -> Value?) rethrows -> Value? {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let value = try body() { return value }
            guard ContinuousClock.now < end else { return nil }
            usleep(5000)
        }
    }

    /// Whether the condition became true within `seconds`. Blocks.
    package static func until(within seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
        try poll(within: seconds) { try condition() ? true : nil } ?? false
    }

    /// Whether the condition became true within `seconds`, without blocking a thread.
    package static func eventually(
        within seconds: Double = 5, _ condition: () async throws -> Bool
    ) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(2))
        }
        return try await condition()
    }
}

extension Threads {
    /// Runs blocking work on a separate thread, and waits for it without blocking a thread of Swift's pool. The work
    /// still runs in the caller's task, so its expectations count for the test.
    package static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withTaskExecutorPreference(ThreadPerJob.shared) { try body() }
    }

    /// Runs a test that blocks between its suspensions on separate threads, so that it does not occupy Swift's few
    /// threads, which other tests need.
    package static func runTest(_ body: () async throws -> Void) async throws {
        try await withTaskExecutorPreference(ThreadPerJob.shared, operation: body)
    }

    /// Runs `body` for 0..<count, each on a separate thread, all at once. After all have ended, throws the first error.
    package static func run<Value: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) throws -> Value
    ) async throws -> [Value] {
        try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            for index in 0..<count { group.addTask { (index, try await run { try body(index) }) } }
            var values: [Int: Value] = [:]
            for try await (index, value) in group { values[index] = value }
            return values.sorted { $0.key < $1.key }.map(\.value)
        }
    }
}

/// Runs each part of a task on a separate thread.
private final class ThreadPerJob: TaskExecutor {
    static let shared = ThreadPerJob()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Threads.detach { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
