import Foundation
import LimpetTestKit
import Synchronization

extension Fleet {
    /// The time of the wall clock, in seconds since 1970, as the access logs have it.
    static var wallClock: Double { Date().timeIntervalSince1970 }

    /// Runs `body` while the load runs, which says how far it is, and returns what became of every request.
    func underLoad(
        _ load: FixedRate, _ request: @escaping @Sendable (Int) -> (session: String, replica: Int),
        _ body: @escaping @Sendable (FixedRate.Progress) throws -> Void
    ) async throws -> [FixedRate.Sample] {
        let isOver = Mutex(false)
        let progress = FixedRate.Progress()
        async let samples = load.run(self, isOver: { isOver.withLock { $0 } }, progress: progress, request)
        do {
            try await Threads.run {
                defer { isOver.withLock { $0 = true } }
                try body(progress)
            }
        } catch {
            _ = try? await samples
            throw error
        }
        return try await samples
    }

    /// The backend of each session at each replica, asked once, with the target of each request.
    func askAll(_ sessions: [String], round: String) throws -> [String: String] {
        let client = FleetClient(self)
        var seen: [String: String] = [:]
        for (number, session) in sessions.enumerated() {
            for replica in ports.indices {
                let target = "/\(round)/\(number)/\(replica)"
                seen[target] = try client.backend(of: session, at: replica, target)
            }
        }
        return seen
    }

    /// What the replicas have logged, as soon as everything that clients saw is there, or after five seconds. Blocks.
    func history(seen: [String: String], outages: [FleetHistory.Outage] = []) throws -> FleetHistory {
        var history = FleetHistory([])
        _ = try Waiting.until(within: 5) {
            let requests = try replicas.indices.flatMap { index in
                let log = try TextFile.read(accessLog(of: index))
                return try RoutedRequest.read(
                    log: String(log[..<(log.lastIndex(of: "\n") ?? log.startIndex)]), of: "r\(index)")
            }
            history = FleetHistory(requests, outages: outages)
            return history.differences(fromSeen: seen).isEmpty
        }
        return history
    }
}
