/// The order in which a full set gives up its slots: the highest goes first.
enum CacheRank: UInt16, Comparable {
    /// The only trace of a decision.
    case dirty = 1
    /// It served a session.
    case usedGuess
    case usedConfirmed
    case confirmed
    /// What this replica knows of a session that others serve.
    case standby
    /// Hashing would repeat it.
    case guess
    case expired
    case empty

    static func < (lhs: CacheRank, rhs: CacheRank) -> Bool { lhs.rawValue < rhs.rawValue }

    /// The least dispensable slot that a new entry may take. A flood of guesses takes no slot of a known session, and
    /// standby none of a session that this replica serves.
    static func limit(for kind: BindingCache.Kind, isStandby: Bool) -> CacheRank {
        switch kind {
        case .guess: .guess
        case .confirmed where isStandby: .standby
        case .confirmed, .dirty: .dirty
        }
    }
}
