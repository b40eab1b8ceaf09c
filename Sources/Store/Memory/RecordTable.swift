import Affinity

/// Records in memory, with the semantics of the commands and scripts that `RedisStore` sends. Nothing in it can be
/// foreign.
struct RecordTable {
    private struct Record {
        var fingerprint: Fingerprint
        var binding: Binding
        var end: Instant
        var born: UInt32?
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
            if case .drop(_, let above, _) = question { return bury(question, above: above, at: place, end) }
            guard let proposal = question.proposal else { return .absent }
            write(question, proposal, at: place, end)
            return .written
        }
        let held = records[place]
        let remaining = min(question.lifetime, held.end.milliseconds(since: now))
        switch question {
        case .touch:
            records[place].end = end
            return .record(held.binding, remaining: question.lifetime, born: held.born)
        case .look:
            return .record(held.binding, remaining: remaining, born: held.born)
        case .drop(_, let above, _):
            return bury(question, above: max(above, held.binding.epoch), at: place, max(end, held.end))
        case .create, .restore, .rebind:
            guard let proposal = question.proposal, question.overrides(held.binding) else {
                return .record(held.binding, remaining: remaining, born: held.born)
            }
            write(question, proposal, at: place, end)
            return .written
        }
    }

    private mutating func bury(_ question: StoreQuestion, above epoch: UInt32, at place: Int?, _ end: Instant)
        -> StoreAnswer
    {
        guard epoch < Binding.epochMax else { return .unavailable(.refused) }
        let tombstone = Binding(backend: .tombstone, epoch: epoch + 1)
        write(question, tombstone, at: place, end)
        return .record(tombstone, remaining: question.lifetime)
    }

    private mutating func write(_ question: StoreQuestion, _ binding: Binding, at known: Int?, _ end: Instant) {
        let record = Record(fingerprint: question.fingerprint, binding: binding, end: end, born: question.born)
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
        case .create, .touch, .drop, .look: false
        case .restore(_, let binding, _, _): held.epoch < binding.epoch
        case .rebind(_, let from, _, _, _): held.epoch < from.epoch || held == from
        }
    }
}
