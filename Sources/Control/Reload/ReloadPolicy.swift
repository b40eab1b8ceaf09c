/// When the configuration is read anew: at the first change at once, then at most once in each window, with the newest
/// of what every provider has said meanwhile. One reading at a time.
struct ReloadPolicy {
    typealias Time = ContinuousClock.Instant

    enum Action: Equatable {
        /// To be told how it went by `ended`.
        case read
        /// Ask again then; said once for each time.
        case wait(until: Time)
        case nothing
    }

    /// How long after the beginning of a reading the next begins, unless it is demanded.
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

    /// A provider has something new.
    mutating func changed() { isChanged = true }

    /// Somebody wants it now.
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

    /// The reading has ended, however.
    mutating func ended() { isReading = false }
}
