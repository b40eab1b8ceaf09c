/// The epochs heard recently. A result with a lower epoch is not kept if its operation was sent before the message was
/// heard.
///
/// Fixed size: if two sessions share a place, the older floor is given up. Results of operations sent before that floor
/// was heard are then unsure.
struct EpochFloors: Sendable {
    private struct Floor {
        var fingerprint: Fingerprint
        var epoch: UInt32
        var receivedAt: Instant
    }

    /// How to treat a result.
    enum Verdict {
        case admitted
        /// A higher epoch was heard since the operation was sent.
        case superseded
        /// Whether a higher epoch was heard can no longer be determined.
        case unsure
    }

    private static let places = 64

    /// Empty until the first message is heard.
    private var floors: [Floor?] = []
    /// When the latest of the floors given up was heard.
    private var horizon = Instant.distantPast

    mutating func raise(_ fingerprint: Fingerprint, to epoch: UInt32, now: Instant) {
        if floors.isEmpty { floors = Array(repeating: nil, count: Self.places) }
        var floor = Floor(fingerprint: fingerprint, epoch: epoch, receivedAt: now)
        let place = Self.place(of: fingerprint)
        if let old = floors[place] {
            if old.fingerprint == fingerprint {
                floor.epoch = max(epoch, old.epoch)
            } else {
                horizon = max(horizon, old.receivedAt)
            }
        }
        floors[place] = floor
    }

    func judge(_ fingerprint: Fingerprint, epoch: UInt32, sentAt: Instant) -> Verdict {
        if !floors.isEmpty, let floor = floors[Self.place(of: fingerprint)], floor.fingerprint == fingerprint {
            if sentAt <= floor.receivedAt { return epoch >= floor.epoch ? .admitted : .superseded }
        }
        return sentAt > horizon ? .admitted : .unsure
    }

    private static func place(of fingerprint: Fingerprint) -> Int {
        Int(truncatingIfNeeded: fingerprint.low % UInt64(places))
    }
}
