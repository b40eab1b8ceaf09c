/// Decides when the configuration is read again: at once for the first change, then at most once per window, with the
/// newest state of every provider. Readings do not overlap.
struct ReloadPolicy {
    typealias Time = ContinuousClock.Instant

    enum Action: Equatable {
        /// Read now, and call `ended` when the reading is over.
        case read
        /// Call `next` again at this time; returned once for each time.
        case wait(until: Time)
        case nothing
    }

    /// The least time between the starts of two readings, unless a reading is demanded.
    let window: Duration

    private var isChanged = false
    private var isDemanded = false
    private var isReading = false
    /// When the last reading began.
    private var began: Time?
    private var waitsUntil: Time?

    init(window: Duration) {
        self.window = window
    }

    /// A provider's state has changed.
    mutating func changed() { isChanged = true }

    /// A reading is wanted at once.
    mutating func demanded() { isDemanded = true }

    mutating func next(at now: Time) -> Action {
        if let due = waitsUntil, now >= due { waitsUntil = nil }
        guard !isReading, isChanged || isDemanded else { return .nothing }
        if !isDemanded, let began, now < began + window {
            guard waitsUntil == nil else { return .nothing }
            waitsUntil = began + window
            return .wait(until: began + window)
        }
        (isChanged, isDemanded, isReading) = (false, false, true)
        began = now
        return .read
    }

    /// The reading has ended, with whatever result.
    mutating func ended() { isReading = false }
}
