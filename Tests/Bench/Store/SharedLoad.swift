import Affinity
import Glibc
import Logging
import NIOCore
import NIOPosix
import Store

/// Several replicas, each with a store on every event loop of this process, that ask at a fixed rate: one after the
/// other, and each some questions in one turn of the loop.
struct SharedLoad {
    /// The stores of one loop, and what has become of their questions. Confined to the loop.
    private final class Loop: StoreWaiter {
        let routers: [StoreRouter]
        private let burst: Int
        private var next = 0
        var (asked, answered, unavailable) = (0, 0, 0)
        var nanoseconds: Int64 = 0

        init(_ routers: [StoreRouter], burst: Int) {
            self.routers = routers
            self.burst = burst
        }

        func ask() {
            let router = routers[next % routers.count]
            next += 1
            for _ in 0..<burst {
                asked += 1
                router.send(.bench(.random(in: 0..<1_000_000)), for: self)
            }
        }

        func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
            answered += 1
            if case .unavailable = result { unavailable += 1 }
            nanoseconds += Instant.now.nanoseconds - stamp.sentAt.nanoseconds
        }
    }

    private let loops: [NIOLoopBound<Loop>]
    /// How often each loop asks, in nanoseconds.
    private let interval: Int64

    init(_ place: String, replicas: Int, loops count: Int, connections: Int, rate: Int, burst: Int) throws {
        let settings = StoreSettings(
            endpoint: try RedisEndpoint(place), connectTimeout: .seconds(5), commandTimeout: .seconds(1),
            lease: .seconds(5))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: count)
        let used = min(connections, count)
        var quiet = Logger(label: "bench")
        quiet.logLevel = .error
        let logger = quiet
        let factories = (0..<replicas).map { _ in
            StoreRouterFactory(
                [RedisPrimary(settings, connections: used)], connections: used, logger: logger)
        }
        loops = try (0..<count).map { _ in
            let loop = group.next()
            return try loop.submit {
                let routers = factories.map { $0.make(on: loop) }
                for router in routers { router.start() }
                return NIOLoopBound(Loop(routers, burst: burst), eventLoop: loop)
            }.wait()
        }
        interval = Int64(count * burst) * 1_000_000_000 / Int64(rate)
    }

    func run(seconds: Int) throws {
        for loop in loops {
            while try !loop.eventLoop.submit({ loop.value.routers.allSatisfy(\.isAvailable) }).wait() { usleep(10_000) }
        }
        let before = processorTime()
        let tasks = loops.map { loop in
            loop.eventLoop.scheduleRepeatedTask(
                initialDelay: .nanoseconds(Int64.random(in: 0..<interval)), delay: .nanoseconds(interval)
            ) { _ in loop.value.ask() }
        }
        sleep(UInt32(seconds))
        for task in tasks { task.cancel() }
        let after = processorTime()
        usleep(200_000)
        var (asked, answered, unavailable, nanoseconds) = (0, 0, 0, Int64(0))
        for loop in loops {
            let counts = try loop.eventLoop.submit {
                (loop.value.asked, loop.value.answered, loop.value.unavailable, loop.value.nanoseconds)
            }.wait()
            (asked, answered) = (asked + counts.0, answered + counts.1)
            (unavailable, nanoseconds) = (unavailable + counts.2, nanoseconds + counts.3)
        }
        let user = (after.user - before.user) / Double(asked)
        let system = (after.system - before.system) / Double(asked)
        let latency = Double(nanoseconds) / Double(max(1, answered)) / 1000
        print("\(asked) \(user) \(system) \(latency) \(unavailable + asked - answered)")
    }
}
