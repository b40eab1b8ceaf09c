import Foundation
import LimpetTestKit
import Synchronization

/// Replicas, backends and a store, each a process of its own, with a directory for all that they write. Everything
/// here blocks.
final class Fleet: Sendable {
    struct Options: Sendable {
        var replicas = 3
        var backends = 3
        /// Where replicas look for the store: nil is none.
        var store: Store? = .running([])
        /// What the replicas say to it.
        var password: String?
        /// How long requests wait for the store. Long by default: what is decided with it does not depend on how busy
        /// the machine is.
        var budget = "2s"
        /// How long a replica may act on a binding that has moved; above the budget.
        var lease = "5s"
        /// The settings under `sticky`.
        var sticky = "header: X-Session-ID"
        /// The settings under `log`.
        var log = "level: info"
        var cacheEntries = 100_000
        var hasAccessLog = false
        /// A command that runs each replica.
        var prefix: [String] = []
        /// Addresses of backends that the test runs itself, beside those of the fleet.
        var ownBackends: [Int] = []
    }

    enum Store: Sendable {
        /// A redis-server with these arguments, which the replicas can use.
        case running([String])
        /// A redis-server with these arguments, which they cannot.
        case unusable([String])
        /// Nobody listens there yet.
        case absent
    }

    static let namespace = "fleettest"
    static let secret = "the-secret-of-a-fleet-that-is-only-a-test"

    let directory: String
    let storePort: Int
    private let options: Options
    private let parts = Mutex(Parts())

    private struct Parts {
        var redis: RedisServer?
        var backends: [WhoamiProcess] = []
        var replicas: [LimpetProcess] = []
    }

    init(_ options: Options) throws {
        self.options = options
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("limpet-fleet-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        directory = folder.path
        storePort = try LoopbackPort.free()
        do {
            switch options.store {
            case .running(let settings), .unusable(let settings): try startRedis(settings)
            case .absent, nil: break
            }
            for number in 0..<options.backends {
                let backend = try WhoamiProcess("b\(number)", in: directory)
                parts.withLock { $0.backends.append(backend) }
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
        guard case .running = options.store else { return }
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
    var backends: [WhoamiProcess] { parts.withLock { $0.backends } }
    var replicas: [LimpetProcess] { parts.withLock { $0.replicas } }
    var ports: [Int] { replicas.map(\.port) }

    // MARK: Its parts

    func startRedis(_ settings: [String] = []) throws {
        let redis = try RedisServer(settings, port: storePort)
        parts.withLock { $0.redis = redis }
    }

    /// One more, of the same configuration.
    func addReplica() throws {
        let name = "r\(replicas.count)"
        let replica = try LimpetProcess(name, in: directory, prefix: options.prefix) { port, adminPort in
            configuration(name, port, adminPort)
        }
        parts.withLock { $0.replicas.append(replica) }
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
        Waiting.until(within: seconds) { replicas.allSatisfy { $0.usesStore == use } }
    }

    /// Everything in the store: key and value.
    func records() throws -> [String: String] {
        let redis = try redis
        var records: [String: String] = [:]
        let keys = try redis.command("--scan").split(separator: "\n").map(String.init)
        guard !keys.isEmpty else { return [:] }
        let values = try redis.command(["MGET"] + keys).split(separator: "\n", omittingEmptySubsequences: false)
        for (key, value) in zip(keys, values) { records[key] = String(value) }
        return records
    }

    /// Ends everything and removes the directory. Says how the replicas ended that were still running.
    @discardableResult
    func end() -> [ChildProcess.End?] {
        let parts = parts.withLock { parts in
            defer { parts = Parts() }
            return parts
        }
        let running = parts.replicas.filter { $0.process.ended == nil }
        for replica in running { replica.process.signal(SIGTERM) }
        let ends = running.map { $0.process.waitForEnd(within: 35) }
        for replica in parts.replicas { replica.process.kill() }
        for backend in parts.backends { backend.process.kill() }
        parts.redis?.thaw()
        parts.redis?.kill()
        try? FileManager.default.removeItem(atPath: directory)
        return ends
    }

    // MARK: What its replicas are told

    private func configuration(_ name: String, _ port: Int, _ adminPort: Int) -> String {
        let servers =
            backends.map { "{ url: \"http://127.0.0.1:\($0.port)\", name: \($0.name) }" }
            + options.ownBackends.enumerated().map { "{ url: \"http://127.0.0.1:\($1)\", name: own\($0) }" }
        return """
            entryPoints:
              web: { address: "127.0.0.1:\(port)" }
              admin: { address: "127.0.0.1:\(adminPort)" }
            replica: { name: \(name), threads: 2 }
            fleet: { secret: "\(Self.secret)", namespace: \(Self.namespace) }
            store:
              cache: { entries: \(options.cacheEntries) }
              lease: \(options.lease)
            \(redisSection)
            log: { \(options.log) }
            \(options.hasAccessLog ? "accessLog: { filePath: \"\(directory)/\(name).access\" }" : "")
            http:
              routers:
                other: { rule: "PathPrefix(`/other`)", service: other }
                app: { rule: "PathPrefix(`/`)", service: app }
              services:
                app: { loadBalancer: { sticky: { \(options.sticky) }, servers: [ \(servers.joined(separator: ", ")) ] } }
                other: { loadBalancer: { sticky: { \(options.sticky) }, servers: [ \(servers.joined(separator: ", ")) ] } }

            """
    }

    private var redisSection: String {
        guard options.store != nil else { return "" }
        let password = options.password.map { ", password: \"\($0)\"" } ?? ""
        return
            "  redis: { endpoints: [\"redis://127.0.0.1:\(storePort)/0\"], commandTimeout: \(options.budget)\(password) }"
    }
}
