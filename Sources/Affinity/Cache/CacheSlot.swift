/// One entry of the cache without its tag: 24 bytes.
struct CacheSlot {
    /// From the low end: the record (53 bits), the kind (2 bits; 0 is an empty slot), seen twice (1), suspect (1),
    /// standby (1), and six unused bits.
    private var packed: UInt64
    private(set) var expires: CacheTick
    private(set) var confirmed: CacheTick
    private(set) var used: UInt16
    var touches: UInt8
    private let free0: UInt8
    /// 0 if not known.
    private var createdAtSeconds: UInt32

    private static let kindShift: UInt64 = 53
    private static let seenTwice: UInt64 = 1 << 55
    private static let suspect: UInt64 = 1 << 56
    private static let standby: UInt64 = 1 << 57

    static let empty = CacheSlot()

    private init() {
        packed = 0
        expires = CacheTick(Instant(nanoseconds: 0))
        confirmed = expires
        used = 0
        touches = 0
        free0 = 0
        createdAtSeconds = 0
    }

    init(_ entry: BindingCache.Entry, now: Instant, seenTwice: Bool) {
        self.init()
        packed = entry.binding.record | UInt64(entry.kind.rawValue) << Self.kindShift
        if seenTwice { packed |= Self.seenTwice }
        if entry.isSuspect { packed |= Self.suspect }
        if entry.isStandby { packed |= Self.standby }
        createdAtSeconds = entry.createdAtSeconds ?? 0
        expires = CacheTick(entry.expiresAt, atMostFarFrom: now)
        confirmed = CacheTick(entry.confirmedAt)
        used = CacheTick.use(now)
        touches = entry.touches
    }

    var kind: BindingCache.Kind? {
        BindingCache.Kind(rawValue: UInt8(truncatingIfNeeded: packed >> Self.kindShift & 3))
    }
    var isSeenTwice: Bool { packed & Self.seenTwice != 0 }
    var isStandby: Bool { packed & Self.standby != 0 }
    var binding: Binding {
        Binding(
            backend: BackendHash(bits: UInt32(truncatingIfNeeded: packed >> 24)),
            epoch: UInt32(truncatingIfNeeded: packed & (1 << 24 - 1)))
    }

    func isLive(_ now: CacheTick) -> Bool { expires.distance(from: now) > 0 }

    func entry(_ kind: BindingCache.Kind, now: Instant) -> BindingCache.Entry {
        BindingCache.Entry(
            binding: binding, kind: kind, confirmedAt: confirmed.instant(near: now),
            expiresAt: expires.instant(near: now), isSuspect: packed & Self.suspect != 0, isStandby: isStandby,
            createdAtSeconds: createdAtSeconds == 0 ? nil : createdAtSeconds,
            touches: touches)
    }

    mutating func markUsed(now: Instant) {
        packed |= Self.seenTwice
        used = CacheTick.use(now)
    }

    /// What a full set gives up: the slot with the highest value. The upper half is the rank; among equals, the least
    /// recently used goes first.
    func dispensability(now: CacheTick, use: UInt16) -> UInt32 {
        UInt32(rank(now: now).rawValue) << 16 | UInt32(use &- used)
    }

    private func rank(now: CacheTick) -> CacheRank {
        guard let kind else { return .empty }
        guard isLive(now) else { return .expired }
        return switch kind {
        case .guess: isSeenTwice ? .usedGuess : .guess
        case .confirmed where isStandby: .standby
        case .confirmed: isSeenTwice ? .usedConfirmed : .confirmed
        case .dirty: .dirty
        }
    }
}
