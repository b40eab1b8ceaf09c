import Affinity
import Glibc
import Logging
import NIOCore
import NIOPosix
import Store

/// Keeps `depth` questions under way until `total` have been answered.
final class Asker: StoreWaiter {
    private let store: any BindingStore
    private let total: UInt64
    private let promise: EventLoopPromise<UInt64>
    private var asked: UInt64 = 0
    private var answered: UInt64 = 0
    private var unavailable: UInt64 = 0

    init(_ store: any BindingStore, total: UInt64, _ promise: EventLoopPromise<UInt64>) {
        self.store = store
        self.total = total
        self.promise = promise
    }

    func ask() {
        guard asked < total else { return }
        asked += 1
        store.send(.bench(asked % 100_000), for: self)
    }

    func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        if case .unavailable = result { unavailable += 1 }
        answered += 1
        if answered == total { promise.succeed(unavailable) } else { ask() }
    }
}

extension StoreOperation {
    /// A create of the session with this number.
    static func bench(_ number: UInt64) -> StoreOperation {
        .create(
            Fingerprint(high: number &* 0x9E37_79B9_7F4A_7C15, low: number), BackendHash(bits: 77),
            lifetimeMilliseconds: 600_000)
    }
}

func store(at place: String, on loop: any EventLoop) throws -> any BindingStore {
    guard place != "memory" else {
        return MemoryStore(records: MemoryRecords(capacity: 200_000, seed: 1), eventLoop: loop)
    }
    let settings = StoreSettings(endpoint: try RedisEndpoint(place), commandTimeout: .seconds(1), lease: .seconds(2))
    let store = RedisStore(
        eventLoop: loop, primary: RedisPrimary(settings, connections: 1), logger: Logger(label: "bench"))
    store.start()
    return store
}

/// What a question costs this process, with more and more of them under way.
func askInDepth(at place: String) throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let bound = try loop.submit { try NIOLoopBound(store(at: place, on: loop), eventLoop: loop) }.wait()
    sleep(1)
    for depth in [1, 4, 16, 64, 256] {
        let total: UInt64 = depth == 1 ? 100_000 : 400_000
        let promise = loop.makePromise(of: UInt64.self)
        let before = processorTime()
        loop.execute {
            let asker = Asker(bound.value, total: total, promise)
            for _ in 0..<depth { asker.ask() }
        }
        let unavailable = try promise.futureResult.wait()
        let after = processorTime()
        let user = (after.user - before.user) / Double(total)
        let system = (after.system - before.system) / Double(total)
        print("\(depth) under way: \(user) + \(system) µs for a question, \(unavailable) unavailable")
    }
}
