/// The epochs heard lately, below which an answer that was under way meanwhile is not kept.
///
/// Of fixed size: where two sessions meet, the older one's floor is given up, and with it every answer that was asked
/// for before it was heard.
struct EpochFloors: Sendable {
    private struct Floor {
        var fingerprint: Fingerprint
        var epoch: UInt32
        var heardAt: Instant
    }

    /// What becomes of an answer.
    enum Verdict {
        case admitted
        /// A higher epoch was heard since it was asked for.
        case superseded
        /// That cannot be told any more.
        case unsure
    }

    private static let places = 64

    /// Empty until something is heard.
    private var floors: [Floor?] = []
    /// The latest hearing that was given up.
    private var horizon = Instant.distantPast

    mutating func raise(_ fingerprint: Fingerprint, to epoch: UInt32, now: Instant) {
        if floors.isEmpty { floors = Array(repeating: nil, count: Self.places) }
        var floor = Floor(fingerprint: fingerprint, epoch: epoch, heardAt: now)
        let place = Self.place(of: fingerprint)
        if let old = floors[place] {
            if old.fingerprint == fingerprint {
                floor.epoch = max(epoch, old.epoch)
            } else {
                horizon = max(horizon, old.heardAt)
            }
        }
        floors[place] = floor
    }

    func judge(_ fingerprint: Fingerprint, epoch: UInt32, sentAt: Instant) -> Verdict {
        if !floors.isEmpty, let floor = floors[Self.place(of: fingerprint)], floor.fingerprint == fingerprint {
            if sentAt <= floor.heardAt { return epoch >= floor.epoch ? .admitted : .superseded }
        }
        return sentAt > horizon ? .admitted : .unsure
    }

    private static func place(of fingerprint: Fingerprint) -> Int {
        Int(truncatingIfNeeded: fingerprint.low % UInt64(places))
    }
}
