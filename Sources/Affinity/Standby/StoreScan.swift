/// One pass over all keys of a primary, page by page: the keys first, then their records. Closed loop and paced; a
/// page that fails is read again.
struct StoreScan: Sendable {
    enum Action: Equatable, Sendable {
        /// Ask for the keys from this cursor on.
        case scan(cursor: UInt64)
        case read([Fingerprint])
    }

    enum State: Equatable, Sendable {
        case idle
        /// The next page, or the rest of one, is due at a time. → asking, reading
        case waiting
        /// The keys of a page were requested. → waiting, ended, failed
        case asking
        /// Records were requested, and this many results are missing. → waiting, ended, failed
        case reading(left: Int)
        case ended
        /// The store refuses, or does not answer a scan as Redis does. → idle, by `stop`
        case failed
    }

    /// Keys per second that a fleet reads from one server: 5 % of its time.
    private static let keysPerSecond: Int64 = 10_000
    /// The number of keys that a page is to have.
    static let pageSize = 100
    /// Records that are read at once: SCAN returns a few keys more than asked for, and those are part of the page.
    static let readsMax = 125
    /// A server with 100 million keys, or one that never ends.
    static let stepsMax = 1_000_000
    private static let pauseMilliseconds: Int64 = 20
    /// In nanoseconds: how much of a delay that this process had itself is made up for.
    private static let madeUpNanoseconds: Int64 = 100_000_000

    private(set) var state = State.idle
    /// Records met.
    private(set) var sessions: UInt64 = 0
    private var cursor: UInt64 = 0
    /// The cursor of the next page; nil while this one may have to be read again.
    private var next: UInt64?
    private var unread: [Fingerprint] = []
    /// The page's first records are read at once: keys and records are one step.
    private(set) var isPaid = false
    private var hasMissed = false
    private var isSlow = false
    private var steps = 0
    private var pace = Pace()
    /// Results of an earlier pass that are still to come.
    private var stale = 0
    private let stepsMax: Int

    init(stepsMax: Int = Self.stepsMax) {
        self.stepsMax = stepsMax
    }

    var isRunning: Bool {
        switch state {
        case .waiting, .asking, .reading: true
        case .idle, .ended, .failed: false
        }
    }

    /// Begins with the first page.
    mutating func begin(now: Instant) {
        guard state != .failed else { return }
        stop()
        state = .waiting
        pace.begin(now)
    }

    /// The pass ends here: its cursor belongs to a process that is gone, or its server to another history. Another
    /// server may also answer better than one that failed.
    mutating func stop() {
        let left =
            switch state {
            case .asking: 1
            case .reading(let left): left
            case .idle, .waiting, .ended, .failed: 0
            }
        let stale = stale + left
        self = StoreScan(stepsMax: stepsMax)
        self.stale = stale
    }

    /// What to send now.
    /// - Parameter replicas: how many replicas scan, this one included.
    mutating func due(replicas: Int, now: Instant) -> Action? {
        guard state == .waiting, stale == 0, isPaid || pace.isDue(now) else { return nil }
        let paid = isPaid ? Self.pageSize : 0
        isPaid = false
        isSlow = false
        hasMissed = false
        guard unread.isEmpty else {
            let batch = Array(unread.prefix(Self.readsMax))
            pay(keys: batch.count - paid, replicas: replicas, now)
            state = .reading(left: batch.count)
            return .read(batch)
        }
        pay(keys: Self.pageSize, replicas: replicas, now)
        state = .asking
        return .scan(cursor: cursor)
    }

    /// The keys of the page have arrived.
    mutating func scanned(_ fingerprints: [Fingerprint], next: UInt64) {
        guard isExpected(), state == .asking else { return }
        steps += 1
        guard next != cursor || next == 0, steps < stepsMax else {
            state = .failed
            return
        }
        self.next = next
        unread = fingerprints
        guard !unread.isEmpty else { return turnPage() }
        state = .waiting
        isPaid = true
    }

    /// The page's keys did not arrive.
    /// - Parameter isFinal: the store refuses, or answers as Redis does not.
    mutating func scanFailed(isFinal: Bool, now: Instant) {
        guard isExpected(), state == .asking else { return }
        state = isFinal ? .failed : .waiting
        pause(now)
    }

    /// The store refuses to be read.
    mutating func refuse() {
        guard isExpected(), case .reading(let left) = state else { return }
        stop()
        stale = max(0, left - 1)
        state = .failed
    }

    /// The result of one read.
    /// - Parameters:
    ///   - isAnswered: whether the store has told what it holds.
    ///   - isSlow: whether the answer took more than a quarter of the budget.
    mutating func read(isAnswered: Bool, isRecord: Bool, isSlow: Bool, now: Instant) {
        guard isExpected(), case .reading(let left) = state else { return }
        if isRecord { sessions += 1 }
        if !isAnswered { hasMissed = true }
        if isSlow { self.isSlow = true }
        guard left <= 1 else {
            state = .reading(left: left - 1)
            return
        }
        state = .waiting
        if self.isSlow || hasMissed { pause(now) }
        guard !hasMissed else { return }
        unread.removeFirst(min(unread.count, Self.readsMax))
        if unread.isEmpty { turnPage() }
    }

    /// Whether a result belongs to this pass.
    private mutating func isExpected() -> Bool {
        guard stale > 0 else { return true }
        stale -= 1
        return false
    }

    private mutating func pay(keys: Int, replicas: Int, _ now: Instant) {
        guard keys > 0 else { return }
        let interval = Int64(keys) * 1_000_000_000 / Self.keysPerSecond * Int64(max(1, replicas))
        pace.step(intervalNanoseconds: interval, madeUpNanoseconds: Self.madeUpNanoseconds, now: now)
    }

    private mutating func turnPage() {
        guard let next else { return }
        self.next = nil
        cursor = next
        state = next == 0 ? .ended : .waiting
    }

    private mutating func pause(_ now: Instant) {
        pace.pause(milliseconds: Self.pauseMilliseconds, now: now)
    }
}
