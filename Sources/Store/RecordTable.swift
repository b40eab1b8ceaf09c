import Affinity

/// Records in memory, with the semantics of the commands and scripts that `RedisStore` sends. Nothing in it can be
/// foreign.
struct RecordTable {
    private struct Record {
        var fingerprint: Fingerprint
        var binding: Binding
        var end: Instant
    }

    /// How many records are drawn to find one that makes room.
    private static let drawn = 8

    private let capacity: Int
    private var places: [Fingerprint: Int] = [:]
    private var records: [Record] = []
    private var random: UInt64

    init(capacity: Int, seed: UInt64) {
        self.capacity = max(1, capacity)
        random = seed | 1
    }

    var count: Int { records.count }

    mutating func answer(_ question: StoreQuestion, now: Instant) -> StoreAnswer {
        guard question.isWritable else { return .unavailable(.refused) }
        let place = places[question.fingerprint]
        let end = now.advanced(byMilliseconds: question.lifetime)
        guard let place, records[place].end > now else {
            guard let proposal = question.proposal else { return .absent }
            write(Record(fingerprint: question.fingerprint, binding: proposal, end: end), at: place, now: now)
            return .written
        }
        let held = records[place]
        if case .touch = question {
            records[place].end = end
            return .record(held.binding, remaining: question.lifetime)
        }
        guard let proposal = question.proposal, question.overrides(held.binding) else {
            return .record(held.binding, remaining: min(question.lifetime, held.end.milliseconds(since: now)))
        }
        records[place].binding = proposal
        records[place].end = end
        return .written
    }

    private mutating func write(_ record: Record, at known: Int?, now: Instant) {
        if let known {
            records[known] = record
        } else if records.count < capacity {
            places[record.fingerprint] = records.count
            records.append(record)
        } else {
            let place = nearestToEnd()
            places[records[place].fingerprint] = nil
            places[record.fingerprint] = place
            records[place] = record
        }
    }

    private mutating func nearestToEnd() -> Int {
        var nearest = draw()
        for _ in 1..<Self.drawn {
            let other = draw()
            if records[other].end < records[nearest].end { nearest = other }
        }
        return nearest
    }

    /// The place of a record, by xorshift64.
    private mutating func draw() -> Int {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return Int(random.multipliedFullWidth(by: UInt64(records.count)).high)
    }
}

extension StoreQuestion {
    /// Whether what the question asks to write stands above a record that lives.
    fileprivate func overrides(_ held: Binding) -> Bool {
        switch self {
        case .create, .touch: false
        case .restore(_, let binding, _): held.epoch < binding.epoch
        case .rebind(_, let from, _, _): held.epoch < from.epoch || held == from
        }
    }
}
