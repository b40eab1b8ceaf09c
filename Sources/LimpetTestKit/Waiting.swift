#if canImport(Glibc)
import Glibc
#endif

/// Waiting for what another process or thread does.
package enum Waiting {
    /// The first value that `body` returns, called every few milliseconds for so long; nil if it never did. Blocks.
    package static func poll<Value>(within seconds: Double, _ body: () throws -> Value?) rethrows -> Value? {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let value = try body() { return value }
            guard ContinuousClock.now < end else { return nil }
            usleep(5000)
        }
    }

    /// Whether the condition came true in so many seconds. Blocks.
    package static func until(within seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
        try poll(within: seconds) { try condition() ? true : nil } ?? false
    }

    /// Likewise, without holding a thread.
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
    /// Runs blocking work on a thread of its own, and waits for it without holding one of Swift's. It is still the
    /// caller's task that runs it: what is expected there counts for the test.
    package static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withTaskExecutorPreference(ThreadPerJob.shared) { try body() }
    }

    /// Runs a test that blocks between its suspensions on threads of its own, so that it holds none of Swift's few, for
    /// which other tests wait.
    package static func runTest(_ body: () async throws -> Void) async throws {
        try await withTaskExecutorPreference(ThreadPerJob.shared, operation: body)
    }

    /// Runs `body` for 0..<count, each on a thread of its own, all at once. Throws the first error when all have ended.
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

/// Runs each part of a task on a thread of its own.
private final class ThreadPerJob: TaskExecutor {
    static let shared = ThreadPerJob()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Threads.detach { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
