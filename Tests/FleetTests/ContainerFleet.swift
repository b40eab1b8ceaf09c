import Foundation
import LimpetTestKit

/// Two replicas that share a Redis and are configured by nothing but the labels of containers, in an Engine of their
/// own. Everything here blocks.
final class ContainerFleet: Sendable {
    let engine: DockerTestEngine
    let redis: RedisServer
    let replicas: [LimpetProcess]

    /// - Parameters:
    ///   - docker: further settings of the Docker provider.
    ///   - securePorts: of an entry point `websecure`, one for each replica.
    ///   - settings: further lines of the main file, in which `DIR` stands for the folder.
    ///   - prepare: makes files in the folder.
    init(
        docker: String = "", securePorts: [Int] = [], settings: String = "",
        prepare: (_ directory: String) throws -> Void = { _ in }
    ) throws {
        let engine = try DockerTestEngine()
        let port = try LoopbackPort.free()
        var (server, started): (RedisServer?, [LimpetProcess]) = (nil, [])
        do {
            let redis = try RedisServer([], port: port)
            server = redis
            try prepare(engine.directory)
            for (index, name) in ["r0", "r1"].enumerated() {
                let secure = securePorts.isEmpty ? "" : "  websecure: { address: \"127.0.0.1:\(securePorts[index])\" }"
                started.append(
                    try LimpetProcess(name, in: engine.directory) { web, admin in
                        """
                        entryPoints:
                          web: { address: "127.0.0.1:\(web)" }
                          admin: { address: "127.0.0.1:\(admin)" }
                        \(secure)
                        replica: { name: \(name), threads: 1 }
                        fleet: { secret: "\(Fleet.secret)" }
                        store:
                          lease: 1s
                          redis: { endpoints: ["redis://127.0.0.1:\(port)/0"], commandTimeout: 800ms }
                        providers:
                          providersThrottleDuration: 50ms
                          docker: { endpoint: "\(engine.endpoint)"\(docker) }
                        \(settings.replacingOccurrences(of: "DIR", with: engine.directory))

                        """
                    })
            }
            (self.engine, self.redis, replicas) = (engine, redis, started)
        } catch {
            for replica in started { replica.process.kill() }
            server?.kill()
            engine.end()
            throw error
        }
    }

    /// Over a connection of its own.
    func exchange(
        _ target: String, at replica: Int = 0, fields: [String: String] = [:], host: String = "test.example"
    ) throws -> HTTPResponse {
        let request = HTTPRequest("GET", target, fields: fields.merging(["Connection": "close"]) { $1 }, host: host)
        return try HTTPConnection(port: replicas[replica].port).exchange(request)
    }

    /// Whether within some seconds every replica answers so.
    func all(_ target: String, host: String = "test.example", _ isWanted: (HTTPResponse) -> Bool) -> Bool {
        replicas.indices.allSatisfy { index in
            Waiting.until(within: 15) { (try? exchange(target, at: index, host: host)).map(isWanted) ?? false }
        }
    }

    /// The backends that answer within so many requests at a replica, none of which has a session.
    func backends(of target: String, at replica: Int, requests: Int = 12) -> Set<String> {
        Set((0..<requests).compactMap { _ in try? exchange(target, at: replica).servedBy() })
    }

    /// Ends everything; says how the replicas ended.
    func end() -> [ChildProcess.End?] {
        let ends = replicas.map { $0.stop() }
        for replica in replicas { replica.process.kill() }
        redis.kill()
        engine.end()
        return ends
    }
}

/// Runs `body` with such a fleet, and ends it whatever happens.
func withContainers(
    _ fleet: @escaping @Sendable () throws -> ContainerFleet,
    _ body: @escaping @Sendable (ContainerFleet) throws -> Void
) async throws -> [ChildProcess.End?] {
    try await Threads.run {
        let fleet = try fleet()
        do { try body(fleet) } catch {
            _ = fleet.end()
            throw error
        }
        return fleet.end()
    }
}

/// The same, with further settings of the Docker provider.
func withContainers(docker: String = "", _ body: @escaping @Sendable (ContainerFleet) throws -> Void) async throws
    -> [ChildProcess.End?]
{
    try await withContainers({ try ContainerFleet(docker: docker) }, body)
}
