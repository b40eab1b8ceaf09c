/// Decides when a replica checks a backend, and what the results mean: one check at a time, the first at once, and
/// whenever the fleet requests one.
///
/// Pure, one for each backend of a replica that has a health check, regardless of the number of event loops.
/// ``BackendState`` holds the verdicts for everybody else.
package struct BackendCheck: Sendable {
    package enum Standing: Hashable, Sendable {
        /// Added while the replica runs, and never found good: it keeps its sessions, and gets no new ones yet.
        case unproven
        case up
        case down
    }

    package enum Action: Hashable, Sendable {
        case doNothing
        /// Call ``isDue(now:)`` at this time.
        case wait(until: Instant)
        /// Check now, and report the result by ``ended(isGood:random:now:)``.
        case check
    }

    package enum Verdict: Hashable, Sendable {
        case up, down
    }

    /// What a result leads to.
    package struct Outcome: Hashable, Sendable {
        /// Whether the fleet requested the check.
        package let isWanted: Bool
        /// What the backend is found to be, if that is news.
        package let verdict: Verdict?
        package let action: Action
    }

    /// Milliseconds between checks of a backend that was never found good, or that the fleet finds down after one
    /// failed check, if its own intervals are longer: it may be starting, and one failure says little.
    package static let shortIntervalMilliseconds: Int64 = 1000

    private let pace: CheckPace
    package private(set) var standing: Standing
    /// Added while the replica runs, and not found good yet.
    private var isNewcomer: Bool
    /// Down by the word of the fleet.
    private var isConceded = false
    /// Results in a row that contradict the standing.
    private var contradictions = 0
    private var due: Instant?
    private var startedAt: Instant?
    private var isWanted = false

    package init(pace: CheckPace, standing: Standing) {
        self.pace = pace
        self.standing = standing
        isNewcomer = standing == .unproven
    }

    private var isChecking: Bool { startedAt != nil }

    /// The first check is due at once.
    package mutating func begin(now: Instant) -> Action { check(now) }

    /// A check may be due. Early and stray calls do nothing.
    package mutating func isDue(now: Instant) -> Action {
        guard let due, now >= due else { return .doNothing }
        return check(now)
    }

    /// The fleet requests a check. If one is in flight, its result serves.
    package mutating func wanted(now: Instant) -> Action {
        isWanted = true
        return check(now)
    }

    /// - Parameter random: uniform; moves the next check by up to an eighth of the interval, so that checks that
    ///   started together do not stay together.
    package mutating func ended(isGood: Bool, random: UInt64, now: Instant) -> Outcome {
        guard let startedAt else { return Outcome(isWanted: false, verdict: nil, action: .doNothing) }
        let wasWanted = isWanted
        (self.startedAt, isWanted) = (nil, false)
        let verdict = weigh(isGood)
        return Outcome(isWanted: wasWanted, verdict: verdict, action: wait(from: startedAt, random, now))
    }

    /// The backend is down by other evidence: the word of the fleet after a check that failed, or failing requests.
    /// From now on only good checks bring it back.
    package mutating func failed(byFleet isConceded: Bool, random: UInt64, now: Instant) -> Action {
        (standing, contradictions, self.isConceded) = (.down, 0, isConceded)
        return isChecking ? .doNothing : wait(from: now, random, now)
    }

    private mutating func weigh(_ isGood: Bool) -> Verdict? {
        switch (standing, isGood) {
        case (.unproven, true):
            return become(.up)
        case (.up, true), (.down, false):
            contradictions = 0
            return nil
        case (.up, false), (.unproven, false):
            contradictions += 1
            return contradictions >= pace.fall ? become(.down) : nil
        case (.down, true):
            contradictions += 1
            return contradictions >= pace.rise ? become(.up) : nil
        }
    }

    private mutating func become(_ verdict: Verdict) -> Verdict {
        if verdict == .up { (isNewcomer, isConceded) = (false, false) }
        standing = verdict == .up ? .up : .down
        contradictions = 0
        return verdict
    }

    private mutating func check(_ now: Instant) -> Action {
        guard !isChecking else { return .doNothing }
        startedAt = now
        due = nil
        return .check
    }

    private mutating func wait(from start: Instant, _ random: UInt64, _ now: Instant) -> Action {
        var interval = standing == .down ? pace.unhealthyIntervalMilliseconds : pace.intervalMilliseconds
        if isNewcomer || isConceded { interval = min(interval, Self.shortIntervalMilliseconds) }
        let jitter = Int64(UInt64(max(interval, 0) / 4).multipliedFullWidth(by: random).high)
        let next = max(now, start.advanced(byMilliseconds: interval - interval / 8 + jitter))
        due = next
        return .wait(until: next)
    }
}
