package import Affinity
import Configuration

/// How much a replica knows of the sessions that it has not served, for people and `/api/fleet`.
package struct StandbyView: Equatable, Sendable {
    package enum State: String, Codable, Sendable {
        /// It knows every session in the store: an outage of the store moves none.
        case synced
        /// It scans the store.
        case syncing
        /// It offers what it knows to a store that has lost data.
        case refilling
        case notSynced = "not synced"
        /// It neither announces nor hears what replicas write.
        case off
        /// A replica of an earlier release, or one without a shared store.
        case unknown
    }

    package var state: State
    /// How many sessions a scan has met so far; only while syncing.
    package var sessions: UInt64?
    /// Why it is not synced, as one word.
    package var reason: String?

    package init(state: State, sessions: UInt64? = nil, reason: String? = nil) {
        self.state = state
        self.sessions = sessions
        self.reason = reason
    }

    package init(_ status: StandbyStatus?) {
        switch status {
        case .synced: self.init(state: .synced)
        case .syncing(let sessions): self.init(state: .syncing, sessions: sessions)
        case .refilling: self.init(state: .refilling)
        case .notSynced(let reason): self.init(state: .notSynced, reason: reason.rawValue)
        case .off: self.init(state: .off)
        case nil: self.init(state: .unknown)
        }
    }
}

extension StandbyView: CustomStringConvertible {
    /// `synced`, `syncing (1200 so far)`, `not synced (cache)`.
    package var description: String {
        if let sessions { return "\(state.rawValue) (\(sessions) so far)" }
        if let reason { return "\(state.rawValue) (\(EscapedText.of(reason)))" }
        return state.rawValue
    }

    /// A sentence about a replica that is not synced, for people; nil if there is nothing to explain.
    var explanation: String? {
        switch reason.flatMap(StandbyStatus.Reason.init) {
        case .cacheTooSmall: "the cache has no room for every session; raise `cache.entries`"
        case .leftOut: "replicas wrote more sessions than can be announced; it scans the store again"
        case .unannounced: "a replica of an earlier release, or one that may not announce, is in the fleet"
        case .startedWithoutStore: "it has started while the store was unavailable"
        case .scanFailed: "Redis refuses SCAN, GETRANGE or PTTL; grant the user `+scan`, `+getrange` and `+pttl`"
        case .waiting: "it waits for the store, or for a refill to end"
        case nil: state == .off ? "Redis does not permit the channel of announcements" : nil
        }
    }
}

extension StandbyView: Codable {}
