/// How much a replica knows of the sessions that it has not served: what its standby entries are worth if the store is
/// lost now. Replicas report it to each other behind their version, because replicas of earlier releases refuse a
/// message with a further word.
package enum StandbyStatus: Hashable, Sendable {
    /// It knows every session in the store.
    case synced
    /// It scans the store, and has met this many sessions so far.
    case syncing(sessions: UInt64)
    /// It offers what it knows to a store that may have lost data.
    case refilling
    case notSynced(Reason)
    /// It neither announces what it writes nor hears the announcements of others.
    case off

    package enum Reason: String, Hashable, Sendable, CaseIterable {
        /// It has just started, or has missed messages, and waits for the store or for a refill to end.
        case waiting
        /// The cache has no room for every session.
        case cacheTooSmall = "cache"
        /// A replica wrote more than may be announced.
        case leftOut = "left-out"
        /// A replica of an earlier release, or without the permission, announces nothing.
        case unannounced
        /// It has started while the store was unavailable.
        case startedWithoutStore = "no-store"
        /// The store does not answer a scan as Redis does, or does not permit it.
        case scanFailed = "scan"
    }

    /// Whether a replica with this status announces what it writes.
    package var announces: Bool { self != .off }

    /// Whether a replica with this status is reading the whole store.
    package var isScanning: Bool {
        switch self {
        case .syncing, .refilling: true
        case .synced, .notSynced, .off: false
        }
    }

    /// Whether the two differ in nothing but a count of sessions.
    package func isSameKind(as other: StandbyStatus) -> Bool {
        switch (self, other) {
        case (.syncing, .syncing): true
        default: self == other
        }
    }
}

extension StandbyStatus {
    private static let separator: Character = "/"
    /// The longest version that leaves room for any status.
    private static let versionMax = 32

    /// The version with the status behind it: `0.1.0/syncing-1200`.
    package func following(version: String) -> String {
        let version = String(version.filter { $0 != Self.separator }.prefix(Self.versionMax))
        return "\(version)\(Self.separator)\(text)"
    }

    private var text: String {
        switch self {
        case .synced: "synced"
        case .syncing(let sessions): "syncing-\(sessions)"
        case .refilling: "refilling"
        case .notSynced(let reason): "waits-\(reason.rawValue)"
        case .off: "off"
        }
    }

    /// Parts a version from the status behind it. The status is nil for a replica of an earlier release. A status that
    /// a later release may have added counts as `waiting`.
    package static func parted(_ version: String) -> (version: String, status: StandbyStatus?) {
        guard let separator = version.lastIndex(of: Self.separator) else { return (version, nil) }
        return (String(version[..<separator]), StandbyStatus(version[version.index(after: separator)...]))
    }

    private init(_ text: Substring) {
        let words = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = words.count == 2 ? words[1] : nil
        switch words[0] {
        case "synced": self = .synced
        case "syncing": self = .syncing(sessions: rest.flatMap { UInt64($0) } ?? 0)
        case "refilling": self = .refilling
        case "off": self = .off
        default: self = .notSynced(rest.flatMap { Reason(rawValue: String($0)) } ?? .waiting)
        }
    }
}
