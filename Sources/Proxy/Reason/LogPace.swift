import Affinity

/// Decides which of many equal events are logged: the first, and then one a minute as long as they go on. Pure.
struct LogPace<Key: Hashable & Sendable>: Sendable {
    static var intervalMilliseconds: Int64 { 60_000 }
    /// At this number of keys those that have been silent for an interval are forgotten; if none has been, all are.
    static var keysMax: Int { 1000 }

    private struct Entry {
        var loggedAt: Instant
        var unlogged = 0
    }

    private var entries: [Key: Entry] = [:]

    /// The number of different events that are remembered.
    var keyCount: Int { entries.count }

    /// Nil if the event is not logged; otherwise how many were not logged since the last one that was.
    mutating func happened(_ key: Key, now: Instant) -> Int? {
        guard let entry = entries[key] else {
            makeRoom(now)
            entries[key] = Entry(loggedAt: now)
            return 0
        }
        guard now.milliseconds(since: entry.loggedAt) >= Self.intervalMilliseconds else {
            entries[key]?.unlogged += 1
            return nil
        }
        entries[key] = Entry(loggedAt: now)
        return entry.unlogged
    }

    private mutating func makeRoom(_ now: Instant) {
        guard entries.count >= Self.keysMax else { return }
        entries = entries.filter { now.milliseconds(since: $0.value.loggedAt) < Self.intervalMilliseconds }
        if entries.count >= Self.keysMax { entries = [:] }
    }
}
