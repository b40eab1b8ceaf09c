/// What an event loop tells the store independently of requests: its own writes that the store may have lost, what it
/// decided while the store was away, and what it wrote without hearing the result.
///
/// Bounded: what does not fit is offered on the session's next request, or not at all if the store has kept what it
/// acknowledged.
struct Offers: Sendable {
    /// Own writes up to this age, in milliseconds, are repeated after a loss.
    static let memory: Int64 = 60_000
    private static let writtenMax = 10_000
    private static let waitingMax = 100_000

    /// Writes that the store acknowledged and published to every replica.
    private var written = BoundedQueue<OwnWrite>(capacity: writtenMax)
    private var repeats = BoundedQueue<OwnWrite>(capacity: writtenMax)
    private var moves = BoundedQueue<Fingerprint>(capacity: waitingMax)
    private var guesses = BoundedQueue<Fingerprint>(capacity: waitingMax)
    /// Writes without a result.
    var unanswered = UnansweredWrites()
    /// The last lineage seen, for each primary.
    private(set) var lineages: [UInt64]

    init(lineages: [UInt64]) {
        self.lineages = lineages
    }

    var isEmpty: Bool { count == 0 }
    var count: Int { repeats.count + moves.count + guesses.count + unanswered.count }

    /// Adds a session that was moved, learnt or guessed at without the store.
    mutating func add(_ fingerprint: Fingerprint, isGuess: Bool) {
        if isGuess { guesses.append(fingerprint) } else { moves.append(fingerprint) }
    }

    /// Adds a broadcast write that the store has acknowledged.
    mutating func note(_ write: OwnWrite) {
        written.append(write)
        while let oldest = written.first, isForgotten(oldest, write.at) { _ = written.popFirst() }
    }

    /// If the lineage has changed, this primary may have lost the latest writes: queues this loop's writes of the last
    /// minute to be repeated.
    mutating func observe(lineage: UInt64, of primary: Int, _ primaries: PrimaryMap, now: Instant) {
        guard lineage != lineages[primary] else { return }
        lineages[primary] = lineage
        for _ in 0..<written.count {
            guard let write = written.popFirst() else { break }
            guard primaries.primary(of: write.fingerprint) == primary else {
                written.append(write)
                continue
            }
            if !isForgotten(write, now) { repeats.append(write) }
        }
    }

    /// Queues a write to be repeated later.
    mutating func repeatLater(_ write: OwnWrite) { repeats.append(write) }

    mutating func nextRepeat() -> OwnWrite? { repeats.popFirst() }
    mutating func nextMove() -> Fingerprint? { moves.popFirst() }
    mutating func nextGuess() -> Fingerprint? { guesses.popFirst() }

    private func isForgotten(_ write: OwnWrite, _ now: Instant) -> Bool {
        now.milliseconds(since: write.at) > Self.memory
    }
}
