import LimpetTestKit
import Networking
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite("Threads for what blocks")
struct BlockingThreadsTests {
    private final class Work: Sendable {
        private let state = Mutex((begun: [Int](), isReleased: false, threads: Set<UInt>()))

        var begun: [Int] { state.withLock { $0.begun } }
        var threads: Int { state.withLock { $0.threads.count } }

        func release() { state.withLock { $0.isReleased = true } }

        func run(_ number: Int, blocks: Bool) {
            let thread = UInt(bitPattern: pthread_self().hashValue)
            state.withLock { state in
                state.begun.append(number)
                state.threads.insert(thread)
            }
            while blocks, !state.withLock({ $0.isReleased }) { usleep(1000) }
        }
    }

    @Test("as many run at once as there may be threads, the others when they are free")
    func limit() async throws {
        let threads = BlockingThreads(limit: 3)
        let work = Work()
        for number in 0..<8 { threads.submit { work.run(number, blocks: true) } }
        try await Threads.run {
            #expect(Waiting.until(within: 5) { work.begun.count == 3 })
            usleep(20_000)
            #expect(work.begun.count == 3)
            work.release()
            #expect(Waiting.until(within: 5) { work.begun.count == 8 })
        }
        // Two threads that take their work one after the other may begin it the other way round.
        #expect(work.begun.sorted() == Array(0..<8) && Set(work.begun.prefix(3)) == [0, 1, 2])
    }

    @Test("what comes one after the other needs one thread")
    func reuse() async throws {
        let threads = BlockingThreads(limit: 3)
        let work = Work()
        for number in 0..<20 {
            try await threads.run { work.run(number, blocks: false) }
            // The thread is free a moment after the value is there.
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(work.begun == Array(0..<20))
        #expect(work.threads == 1)
    }
}
