import Affinity
import Dispatch
import LimpetTestKit
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Store

/// Asks a store on its event loop, from a test.
final class StoreDriver: Sendable {
    let group: MultiThreadedEventLoopGroup
    let loop: any EventLoop
    let lines = LogLines()
    private let store: NIOLoopBound<any BindingStore>
    private let redis: NIOLoopBound<RedisStore?>

    init(_ make: @Sendable @escaping (any EventLoop, Logger) -> any BindingStore) throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let lines = lines
        self.loop = loop
        (store, redis) = try loop.submit {
            let store = make(loop, Logger(label: "test") { _ in lines.handler })
            return (
                NIOLoopBound(store, eventLoop: loop),
                NIOLoopBound(
                    store as? RedisStore ?? (store as? StoreRouter)?.connectedStore(of: 0), eventLoop: loop)
            )
        }.wait()
    }

    static func redis(_ settings: StoreSettings) throws -> StoreDriver {
        try redis(RedisPrimary(settings, connections: 1))
    }

    static func redis(_ primary: RedisPrimary) throws -> StoreDriver {
        try StoreDriver { loop, logger in
            let store = RedisStore(eventLoop: loop, primary: primary, logger: logger)
            store.start()
            return store
        }
    }

    static func redis(_ url: String) throws -> StoreDriver {
        try redis(StoreSettings(endpoint: RedisEndpoint(url)))
    }

    /// Runs `body` on the loop.
    func run<Result: Sendable>(_ body: @Sendable @escaping (any BindingStore) -> Result) async throws -> Result {
        try await loop.submit { [store] in body(store.value) }.get()
    }

    /// Runs `body` on the loop; the store is one in a Redis.
    func runRedis<Result: Sendable>(_ body: @Sendable @escaping (RedisStore) -> Result) throws -> Result {
        try loop.submit { [redis] in
            guard let store = redis.value else { throw NotInTime() }
            return body(store)
        }.wait()
    }

    /// Keeps the loop busy until the semaphore is signalled, at most ten seconds. Returns once it is busy.
    func block() async -> DispatchSemaphore {
        let end = DispatchSemaphore(value: 0)
        await withCheckedContinuation { isBusy in
            loop.execute {
                isBusy.resume()
                _ = end.wait(timeout: .now() + 10)
            }
        }
        return end
    }

    func counters() async throws -> StoreCounters {
        try await loop.submit { [store, redis] in
            (store.value as? StoreRouter)?.counters ?? redis.value?.counters ?? StoreCounters()
        }.get()
    }

    var isAvailable: Bool { get async throws { try await run { $0.isAvailable(for: .test(1)) } } }

    /// Waits until the store is available, at most `limit`.
    func ready(within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit) { try await self.isAvailable }
    }

    func send(_ operation: StoreOperation) async throws -> StoreResult {
        try await send([operation])[0]
    }

    /// Asks all of them in one turn of the loop. The answers are in the order of the questions. Throws if one is
    /// missing for long.
    func send(_ operations: [StoreOperation]) async throws -> [StoreResult] {
        let promise = loop.makePromise(of: [StoreResult].self)
        let limit = loop.scheduleTask(in: .seconds(15)) { promise.fail(NotInTime()) }
        defer { limit.cancel() }
        loop.execute { [store] in
            let collector = Collector(expected: operations.count, promise: promise)
            for (index, operation) in operations.enumerated() {
                store.value.send(operation, for: Waiter(index: index, operation: operation, collector: collector))
            }
            collector.isAsking = false
        }
        return try await promise.futureResult.get()
    }

    /// Asks for a page of keys. Nil if that cannot be sent.
    func scan(from cursor: UInt64) async throws -> ScanReply? {
        let promise = loop.makePromise(of: ScanReply?.self)
        loop.execute { [redis] in
            let waiter = Once(promise: promise)
            let isSent = redis.value?.scan(from: cursor) { waiter.receive($0) } ?? false
            waiter.isAsking = false
            if !isSent { waiter.receive(nil) }
        }
        return try await promise.futureResult.get()
    }

    /// Announces sessions. Nil if that cannot be sent.
    func announce(
        _ fingerprints: [Fingerprint], hasLeftOut: Bool, _ names: ChannelNames
    ) async throws -> AnnounceReply? {
        let promise = loop.makePromise(of: AnnounceReply?.self)
        loop.execute { [redis] in
            let waiter = Once(promise: promise)
            let isSent =
                redis.value?.announce(fingerprints, hasLeftOut: hasLeftOut, names: names) { waiter.receive($0) }
                ?? false
            waiter.isAsking = false
            if !isSent { waiter.receive(nil) }
        }
        return try await promise.futureResult.get()
    }

    /// How a question was put to the store.
    func stamp(_ operation: StoreOperation) async throws -> OperationStamp {
        let promise = loop.makePromise(of: OperationStamp.self)
        loop.execute { [store] in store.value.send(operation, for: StampWaiter(promise: promise)) }
        return try await promise.futureResult.get()
    }

    func stop() async throws {
        try await stopStore()
        try await group.shutdownGracefully()
    }

    func stopStore() async throws {
        try await loop.flatSubmit { [store, redis, loop] in
            (store.value as? StoreRouter)?.stop(on: loop) ?? redis.value?.stop() ?? loop.makeSucceededVoidFuture()
        }.get()
    }
}

/// One of several waiters; checks that it is told once, of its own question, and not from within the asking.
private final class Waiter: StoreWaiter {
    private let index: Int
    private let operation: StoreOperation
    private let collector: Collector
    private var isTold = false

    init(index: Int, operation: StoreOperation, collector: Collector) {
        self.index = index
        self.operation = operation
        self.collector = collector
    }

    func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        #expect(!isTold, "told twice")
        #expect(operation == self.operation, "told of another's question")
        #expect(!collector.isAsking, "told from within ask")
        isTold = true
        collector.add(result, at: index)
    }
}

/// Checks that it is told once, and not from within the asking.
final class Once<Reply: Sendable> {
    var isAsking = true
    private var isTold = false
    private let promise: EventLoopPromise<Reply?>

    init(promise: EventLoopPromise<Reply?>) { self.promise = promise }

    func receive(_ reply: Reply?) {
        #expect(!isTold, "told twice")
        #expect(!isAsking, "told from within the asking")
        isTold = true
        promise.succeed(reply)
    }
}

private final class StampWaiter: StoreWaiter {
    private let promise: EventLoopPromise<OperationStamp>

    init(promise: EventLoopPromise<OperationStamp>) { self.promise = promise }

    func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        promise.succeed(stamp)
    }
}

private final class Collector {
    var isAsking = true
    private var results: [StoreResult?]
    private var missing: Int
    private let promise: EventLoopPromise<[StoreResult]>

    init(expected: Int, promise: EventLoopPromise<[StoreResult]>) {
        results = Array(repeating: nil, count: expected)
        missing = expected
        self.promise = promise
    }

    func add(_ result: StoreResult, at index: Int) {
        results[index] = result
        missing -= 1
        if missing == 0 { promise.succeed(results.compactMap(\.self)) }
    }
}

/// What was logged, as text with its metadata.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    func append(_ line: String) { lines.withLock { $0.append(line) } }
    var handler: Handler { Handler(lines: self) }

    struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        init(lines: LogLines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let pairs = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(separator: " ")
            lines.append("\(event.level) \(event.message) \(pairs)")
        }
    }
}

struct NotInTime: Error {}

/// Waits until `condition` holds, at most `limit`: by default far longer than it takes on a busy machine.
func eventually(within limit: Duration = .seconds(30), _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw NotInTime() }
        try await Task.sleep(for: .milliseconds(2))
    }
}

extension Fingerprint {
    static func test(_ number: UInt64) -> Fingerprint {
        Fingerprint(high: number &* 0x9E37_79B9_7F4A_7C15, low: number)
    }
}
