import Foundation
import LimpetTestKit
import Synchronization

/// Replicas, backends and a store, each a process of its own, with a directory for all that they write. Everything
/// here blocks.
final class Fleet: Sendable {
    struct Options: Sendable {
        var replicas = 3
        /// Event loops of each replica.
        var threads = 2
        var backends = 3
        /// Where replicas look for the store: nil is none.
        var store: Store? = .running([])
        /// What the replicas say to it.
        var password: String?
        /// As whom; nil: the default user.
        var username: String?
        /// How long requests wait for the store. Long by default: what is decided with it does not depend on how busy
        /// the machine is.
        var budget = "800ms"
        /// How long a replica may act on a binding that has moved; above the budget.
        var lease = "1s"
        /// The settings under `sticky`.
        var sticky = "header: X-Session-ID"
        /// Further settings of the services' `loadBalancer`; `REPLICA` is the replica's name.
        var balancer = ""
        /// The settings of a transport `own`, which the services use; empty: they use the default.
        var transport = ""
        /// Further settings of the entry point `web`.
        var web = ""
        /// The settings under `log`.
        var log = "level: info"
        var cacheEntries = 100_000
        var hasAccessLog = false
        /// A command that runs each replica.
        var prefix: [String] = []
        /// Addresses of backends that the test runs itself, beside those of the fleet.
        var ownBackends: [Int] = []
        /// Of their URLs.
        var ownScheme = "http"
        /// Whether each replica reaches the store through a fault proxy of its own.
        var hasFaultProxies = false
        /// Whether each replica runs as a group of its own, by which the kernel can tell its packets from others'.
        var hasOwnGroups = false
        /// Backends that run, and that the configuration does not name.
        var unnamedBackends: Set<String> = []
        var drainingBackends: Set<String> = []
        /// Where routers and services stand; nil: in the main files.
        var dynamic: Dynamic?
        /// What the sealing keys are made of, the first to seal; none: made of the fleet secret.
        var cookieKeys: [String] = []
    }

    /// Files beside the main ones, which all replicas read.
    struct Dynamic: Sendable {
        /// In the fleet's directory: a file, or a directory.
        var path = "dynamic.yml"
        var isDirectory = false
        var throttle = "0s"
        /// Further settings under `providers`.
        var more: String?
        /// Makes them, before there are replicas; unless given, the file says what the main files would have said.
        var prepare: (@Sendable (Fleet) throws -> Void)?
    }

    enum Store: Sendable {
        /// A redis-server with these arguments, which the replicas can use.
        case running([String])
        /// A redis-server with these arguments, which they cannot.
        case unusable([String])
        /// Nobody listens there yet.
        case absent
        /// The primary that these Sentinels name. They are not the fleet's, and do not end with it.
        case named(SentinelDeployment)
    }

    static let namespace = "fleettest"
    /// Of the keys of sessions, and of no other.
    static let recordPattern = "\(namespace):" + String(repeating: "?", count: 22)
    static let secret = "the-secret-of-a-fleet-that-is-only-a-test"

    let directory: String
    let storePort: Int
    private let parts: Mutex<Parts>

    private struct Parts {
        /// Of replicas that are started from now on.
        var options: Options
        var redis: RedisServer?
        var faults: [FaultProxy] = []
        var backends: [WhoamiProcess] = []
        var replicas: [LimpetProcess] = []
    }

    init(_ options: Options) throws {
        parts = Mutex(Parts(options: options))
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("limpet-fleet-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        directory = folder.path
        storePort = try LoopbackPort.free()
        do {
            switch options.store {
            case .running(let settings), .unusable(let settings): try startRedis(settings)
            case .absent, .named, nil: break
            }
            for _ in 0..<options.backends { try addBackend() }
            if let dynamic = options.dynamic {
                if let prepare = dynamic.prepare { try prepare(self) } else { try say(http) }
            }
            for _ in 0..<options.replicas { try addReplica() }
            try awaitStore()
        } catch {
            end()
            throw error
        }
    }

    /// A store that works is in use before a test begins.
    private func awaitStore() throws {
        switch options.store {
        case .running, .named: if replicas.isEmpty { return }
        case .unusable, .absent, nil: return
        }
        guard allUseStore(within: 5) else {
            throw Unexpected(description: "the store is not in use")
        }
    }

    var redis: RedisServer {
        get throws {
            guard let redis = parts.withLock({ $0.redis }) else {
                throw Unexpected(description: "this fleet has no store")
            }
            return redis
        }
    }
    /// The fault proxies, in the order of the replicas.
    var faults: [FaultProxy] { parts.withLock { $0.faults } }
    var options: Options { parts.withLock { $0.options } }
    var backends: [WhoamiProcess] { parts.withLock { $0.backends } }
    var replicas: [LimpetProcess] { parts.withLock { $0.replicas } }
    var ports: [Int] { replicas.map(\.port) }

    // MARK: Its parts

    func startRedis(_ settings: [String] = []) throws {
        let redis = try RedisServer(settings, port: storePort)
        parts.withLock { $0.redis = redis }
    }

    /// One more, of the configuration that new replicas have.
    func addReplica() throws {
        let (index, options) = (replicas.count, options)
        if options.hasFaultProxies {
            let proxy = try FaultProxy(target: storePort)
            parts.withLock { $0.faults.append(proxy) }
        }
        let group = options.hasOwnGroups ? PacketFilter.prefix(group: Self.group(of: index)) : []
        let replica = try LimpetProcess("r\(index)", in: directory, prefix: options.prefix + group) {
            configuration(of: index, port: $0, adminPort: $1)
        }
        parts.withLock { $0.replicas.append(replica) }
    }

    /// One more, which replicas learn of when they are started again.
    func addBackend() throws {
        let backend = try WhoamiProcess("b\(backends.count)", in: directory)
        parts.withLock { $0.backends.append(backend) }
    }

    /// The group that a replica runs as, where each has its own.
    static func group(of index: Int) -> UInt32 { 61_000 + UInt32(index) }

    /// Changes what replicas are told when they are started, or started again with `rollReplicas`.
    func change(_ change: (inout Options) -> Void) {
        parts.withLock { change(&$0.options) }
    }

    /// Stops the replicas and starts them again, one after the other, with what they are told now. Says how they ended.
    @discardableResult
    func rollReplicas() throws -> [ChildProcess.End?] {
        try replicas.indices.map { try rollReplica($0) }
    }

    /// Stops a replica and starts it again with what it is told now. Says how it ended.
    func rollReplica(_ index: Int) throws -> ChildProcess.End? {
        let end = replicas[index].stop()
        let next = try replicas[index].startAgain { self.configuration(of: index, port: $0, adminPort: $1) }
        parts.withLock { $0.replicas[index] = next }
        return end
    }

    /// Stops a replica with SIGTERM and starts it again; says how it ended.
    @discardableResult
    func restartReplica(_ index: Int) throws -> ChildProcess.End? {
        let end = replicas[index].stop()
        let next = try replicas[index].startAgain()
        parts.withLock { $0.replicas[index] = next }
        return end
    }

    func restartBackend(_ index: Int) throws {
        let next = try backends[index].startAgain()
        parts.withLock { $0.backends[index] = next }
    }

    func backend(named name: String) throws -> Int {
        guard let index = backends.firstIndex(where: { $0.name == name }) else {
            throw Unexpected(description: "there is no backend \(name)")
        }
        return index
    }

    /// Whether within so many seconds every replica asks the store, or none does.
    func allUseStore(_ use: Bool = true, within seconds: Double) -> Bool {
        Waiting.until(within: seconds) { replicas.allSatisfy { use ? $0.usesStore : $0.isWithoutStore } }
    }

    /// Returns once every replica uses its store and hears the others by it, or none hears any. Blocks.
    func awaitChannels(areLive: Bool = true) throws {
        let isSo = try Waiting.until(within: 10) {
            try replicas.allSatisfy { replica in
                let isLive = try replica.metric("limpet_channel_live") == 1
                return areLive ? isLive && replica.usesStore : !isLive
            }
        }
        guard isSo else {
            throw Unexpected(description: "the channels are not \(areLive ? "live" : "given up")")
        }
    }

    /// All records of sessions in the store: key and value.
    func records() throws -> [String: String] { try records(of: redis) }

    /// Likewise, of another server.
    func records(of redis: RedisServer) throws -> [String: String] {
        var records: [String: String] = [:]
        let keys = try redis.command("--scan", "--pattern", Self.recordPattern).split(separator: "\n").map(String.init)
        guard !keys.isEmpty else { return [:] }
        let values = try redis.command(["MGET"] + keys).split(separator: "\n", omittingEmptySubsequences: false)
        for (key, value) in zip(keys, values) { records[key] = String(value) }
        return records
    }

    /// Ends everything and removes the directory. Says how the replicas ended that were still running.
    @discardableResult
    func end() -> [ChildProcess.End?] {
        let parts = parts.withLock { parts in
            defer { parts = Parts(options: parts.options) }
            return parts
        }
        let running = parts.replicas.filter { $0.process.ended == nil }
        for replica in running { replica.process.signal(SIGTERM) }
        let ends = running.map { $0.process.waitForEnd(within: 35) }
        for replica in parts.replicas { replica.process.kill() }
        for backend in parts.backends { backend.process.kill() }
        parts.redis?.thaw()
        parts.redis?.kill()
        parts.faults.forEach { $0.stop() }
        try? FileManager.default.removeItem(atPath: directory)
        return ends
    }
}
