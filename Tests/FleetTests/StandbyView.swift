import Foundation
import LimpetTestKit

/// What a replica says of itself in `/api/fleet`: how much it knows of the sessions that it has not served.
struct StandbyView: Equatable, Sendable, CustomStringConvertible {
    let state: String
    /// Why it is not synced.
    let reason: String?

    var isSynced: Bool { state == "synced" }
    var description: String { reason.map { "\(state): \($0)" } ?? state }
}

extension LimpetProcess {
    /// What it says of itself.
    ///
    /// - Throws: where it says nothing.
    func standby() throws -> StandbyView {
        let replicas = try json("/api/fleet")["replicas"] as? [[String: Any]]
        let own = replicas?.first { $0["self"] as? Bool == true }
        guard let standby = own?["standby"] as? [String: Any], let state = standby["state"] as? String else {
            throw Unexpected(description: "\(name) does not say in /api/fleet whether its standby is synced")
        }
        return StandbyView(state: state, reason: standby["reason"] as? String)
    }
}

extension Fleet {
    /// Returns once these replicas, by default all, are synced. Says how long that took, in seconds.
    @discardableResult
    func awaitSynced(_ indices: [Int]? = nil, within seconds: Double = 10) async throws -> Double {
        try await Threads.run {
            let begin = ContinuousClock.now
            let asked = indices.map { $0.map { self.replicas[$0] } } ?? self.replicas
            guard try Waiting.until(within: seconds, { try asked.allSatisfy { try $0.standby().isSynced } }) else {
                let views = try asked.map { "\($0.name) \(try $0.standby())" }
                throw Unexpected(description: "not all are synced within \(seconds) s: \(views)")
            }
            return (ContinuousClock.now - begin) / .seconds(1)
        }
    }

    /// Returns once these replicas are synced and no session is young. A session of the last second may be unknown
    /// elsewhere when the store goes, so nothing can be waited for but time.
    func settleSessions() async throws {
        try await Threads.run { Thread.sleep(forTimeInterval: 1) }
        try await awaitSynced()
    }
}
