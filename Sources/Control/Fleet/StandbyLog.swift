import Affinity
import Logging

/// What the log says of a replica's standby: when it becomes synced and when it ceases to be, and once that it cannot
/// scan the store, however often that is tried again.
struct StandbyLog {
    struct Line: Equatable {
        let level: Logger.Level
        let message: Logger.Message
        var metadata: Logger.Metadata = [:]
    }

    private var isSynced = false
    private var hasWarned = false

    /// The status has changed to this one.
    mutating func lines(on status: StandbyStatus) -> [Line] {
        var lines: [Line] = []
        if status == .notSynced(.scanFailed), !hasWarned {
            hasWarned = true
            lines.append(
                Line(
                    level: .warning,
                    message:
                        "The replica cannot learn every session: Redis refuses SCAN, GETRANGE or PTTL, or does not answer as it should."
                ))
        }
        let wasSynced = isSynced
        isSynced = status == .synced
        guard isSynced != wasSynced else { return lines }
        if isSynced {
            hasWarned = false
            lines.append(
                Line(
                    level: .info,
                    message: "The replica is synced; without the store, every session stays where it is."))
        } else {
            lines.append(
                Line(
                    level: .notice,
                    message: "The replica is not synced; without the store, sessions of other replicas may move.",
                    metadata: ["standby": "\(StandbyView(status).description)"]))
        }
        return lines
    }
}
