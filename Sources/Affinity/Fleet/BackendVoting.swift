/// One backend that some replica in the fleet cannot reach, and how this replica sees the dispute about it.
///
/// A replica *raises an alarm* on its own evidence under a number. Every replica that hears the alarm probes the
/// backend, and from then on names the alarm in its verdict: this shows that the verdict is newer without comparing two
/// clocks. Once a replica has voted this way, its later verdicts count as they arrive.
struct BackendVoting {
    typealias Round = FleetMessage.Round
    typealias Verdict = FleetMessage.Verdict

    /// This replica's own view of the backend.
    enum Own {
        case up
        /// A connection failed, and another is being tried. Can become up or down.
        case suspected(since: Instant)
        /// Can become up.
        case down
    }

    /// Another replica's alarm.
    struct PeerAlarm {
        let number: UInt32
        let receivedAt: Instant
        /// Whether the sender was known before it made this alarm, which is therefore as recent as it seems.
        let isFresh: Bool
        var state: State

        enum State {
            /// To be answered by a probe.
            case open
            /// A probe that began after the alarm is in progress.
            case probing
            /// Answered; the number gives the order of the answers.
            case answered(UInt64)
            /// It rests on alarms that are being answered: its sender counts those answers.
            case covered
        }
    }

    /// What another replica has reported about the backend.
    struct PeerVote {
        /// Its last verdict that was up or down.
        var isUp: Bool?
        var answers: [Round] = []
        /// The alarms that its probe in progress is for.
        var probingFor: [Round] = []
        /// Whether its verdict was found to be newer than what the dispute rests on.
        var isAccepted = false
    }

    private enum Probe {
        case none
        case running(since: Instant, for: [Round])
    }

    /// The count of votes.
    struct Tally {
        var up = 0
        var down = 0
        /// Replicas that may still answer.
        var outstanding = 0
    }

    /// Milliseconds from the start of one probe to the earliest start of the next.
    static let probeGapMilliseconds: Int64 = 250
    /// Milliseconds between the probes that keep a vote current.
    static let probeIntervalMilliseconds: Int64 = 1000
    /// Milliseconds that the connection that raised a suspicion has to resolve it before a probe is made.
    static let suspicionGraceMilliseconds: Int64 = 100
    /// Milliseconds after which a probe in progress is reported to the other replicas, so that they wait for it.
    static let tellingDelayMilliseconds: Int64 = 100

    private(set) var own = Own.up
    /// The number of this replica's own alarm.
    private(set) var alarm: UInt32?
    /// Whether the alarm rests on others that were heard shortly before.
    private(set) var isJoined = false
    var mayReassign = false
    var isAvoided = false
    private(set) var peerAlarms: [UInt64: PeerAlarm] = [:]
    private var peerVotes: [UInt64: PeerVote] = [:]
    /// A verdict counts if it answers one of these alarms, or if its sender made one of them.
    private var countedRounds: Set<Round> = []
    /// Since when answers are expected; nil until the alarm has been heard.
    private var since: Instant?
    private var probe = Probe.none
    private var lastProbe: Instant?
    private var isProbeTold = false
    private var answerCount: UInt64 = 0
    private let instance: UInt64
    /// Milliseconds for which an alarm counts as recent.
    private let freshnessMilliseconds: Int64

    init(instance: UInt64, freshnessMilliseconds: Int64) {
        self.instance = instance
        self.freshnessMilliseconds = freshnessMilliseconds
    }

    /// Whether there is nothing left to dispute.
    var isExpired: Bool {
        if case .up = own, case .none = probe { return peerAlarms.isEmpty }
        return false
    }

    /// Whether this replica has anything to report to the others.
    var isWorthTelling: Bool {
        if case .up = own { return !peerAlarms.isEmpty }
        return true
    }

    // MARK: Own evidence

    /// Returns whether that is news. `number` is used only then.
    mutating func suspect(number: UInt32, now: Instant) -> Bool {
        guard case .up = own else { return false }
        own = .suspected(since: now)
        raise(number)
        return true
    }

    /// The backend counts as down here, or as up again. Returns whether that is news.
    mutating func judge(isUp: Bool, number: UInt32) -> Bool {
        switch (own, isUp) {
        case (.up, true), (.down, false):
            return false
        case (.up, false):
            raise(number)
            own = .down
        case (.suspected, false):
            own = .down
        case (.suspected, true), (.down, true):
            withdraw()
        }
        return true
    }

    /// The channel was interrupted: own evidence raises a new alarm, and what was heard before no longer counts for it.
    mutating func beginAnew(number: UInt32) {
        if alarm != nil { raise(number) }
    }

    private mutating func raise(_ number: UInt32) {
        alarm = number
        isJoined = false
        rest(on: [Round(instance: instance, number: number)], since: nil)
    }

    private mutating func withdraw() {
        own = .up
        alarm = nil
        isJoined = false
        let answered = answeredRounds
        rest(on: Set(answered), since: earliest(answered))
        reopenCovered()
    }

    /// The alarms that this replica's verdict names, in the order in which it answered them.
    private var answeredRounds: [Round] {
        peerAlarms.compactMap { other, claim -> (order: UInt64, round: Round)? in
            guard case .answered(let order) = claim.state else { return nil }
            return (order, Round(instance: other, number: claim.number))
        }.sorted { $0.order < $1.order }.map(\.round)
    }

    private mutating func rest(on rounds: Set<Round>, since: Instant?) {
        countedRounds = rounds
        self.since = since
        for other in peerVotes.keys { peerVotes[other]?.isAccepted = false }
        acceptTestimonies()
    }

    // MARK: Probes

    mutating func probeIsDue(now: Instant) -> Bool {
        guard case .none = probe, has(passed: Self.probeGapMilliseconds, since: lastProbe, now) else { return false }
        if peerAlarms.values.contains(where: { $0.isOpen }) { return true }
        switch own {
        case .suspected(let since): return has(passed: Self.suspicionGraceMilliseconds, since: since, now)
        case .up:
            return !peerAlarms.isEmpty && has(passed: Self.probeIntervalMilliseconds, since: lastProbe, now)
        case .down: return false
        }
    }

    private func has(passed milliseconds: Int64, since start: Instant?, _ now: Instant) -> Bool {
        start.map { now >= $0.advanced(byMilliseconds: milliseconds) } ?? true
    }

    mutating func probeBegan(now: Instant) {
        var rounds: [Round] = []
        for (other, claim) in peerAlarms where claim.isOpen {
            peerAlarms[other]?.state = .probing
            rounds.append(Round(instance: other, number: claim.number))
        }
        probe = .running(since: now, for: rounds)
        lastProbe = now
        isProbeTold = false
    }

    /// Returns whether that is news to the others. `number` is used if it leads to an alarm.
    mutating func probeEnded(isUp: Bool, number: UInt32, now: Instant) -> Bool {
        guard case .running(_, let rounds) = probe else { return false }
        probe = .none
        let answered = rounds.filter { peerAlarms[$0.instance]?.number == $0.number }
        for round in answered {
            answerCount += 1
            peerAlarms[round.instance]?.state = .answered(answerCount)
        }
        let shouldLog = isUp ? cameUp(answered) : wentDown(answered, number: number, now: now)
        return shouldLog || !answered.isEmpty
    }

    private mutating func cameUp(_ answered: [Round]) -> Bool {
        var shouldLog = false
        switch own {
        case .up: break
        case .suspected, .down:
            withdraw()
            shouldLog = true
        }
        ground(on: answered)
        return shouldLog
    }

    private mutating func wentDown(_ answered: [Round], number: UInt32, now: Instant) -> Bool {
        switch own {
        case .up where answered.isEmpty:
            return suspect(number: number, now: now)
        case .up:
            own = .down
            raise(number)
            // The verdict names every alarm that it ever answered: the new one rests on all of them, or on none.
            let named = answeredRounds
            if named.count <= FleetMessage.answersMax, named.allSatisfy({ isYoung($0, now) }) {
                isJoined = true
                rest(on: Set(named).union(countedRounds), since: earliest(named))
            }
        case .suspected:
            own = .down
            ground(on: answered.filter { isYoung($0, now) })
        case .down:
            ground(on: answered.filter { isYoung($0, now) })
            return false
        }
        return true
    }

    /// Adds alarms whose answers count.
    private mutating func ground(on rounds: [Round]) {
        guard !rounds.isEmpty else { return }
        countedRounds.formUnion(rounds)
        if since == nil { since = earliest(rounds) }
        acceptTestimonies()
    }

    private func earliest(_ rounds: [Round]) -> Instant? {
        rounds.compactMap { peerAlarms[$0.instance]?.receivedAt }.min()
    }

    private func isYoung(_ round: Round, _ now: Instant) -> Bool {
        guard let claim = peerAlarms[round.instance], claim.number == round.number else { return false }
        return claim.isFresh && now < claim.receivedAt.advanced(byMilliseconds: freshnessMilliseconds)
    }

    // MARK: The others

    /// This replica's own message has come back: every subscriber has received the alarm.
    mutating func alarmReceived(_ number: UInt32, now: Instant) {
        if number == alarm, since == nil { since = now }
    }

    /// Another replica's verdict, or nil if its message contains none about this backend.
    /// - Parameter wasKnown: whether an earlier message of that replica was heard.
    mutating func received(_ verdict: Verdict?, from other: UInt64, wasKnown: Bool, now: Instant) {
        guard let verdict else { return receivedNoVerdict(from: other) }
        hearClaim(verdict, from: other, wasKnown: wasKnown, now: now)
        var peerVote = peerVotes[other] ?? PeerVote()
        switch verdict.state {
        case .unsure:
            peerVote.probingFor = verdict.answers
        case .up, .down:
            peerVote.isUp = verdict.state == .up
            peerVote.answers = verdict.answers
            peerVote.probingFor = []
        }
        peerVotes[other] = peerVote
        accept(other)
    }

    /// The replica has nothing against the backend, and may not know that others have: its verdict of up still counts.
    private mutating func receivedNoVerdict(from other: UInt64) {
        dropClaim(of: other)
        guard let peerVote = peerVotes[other], peerVote.isAccepted, peerVote.isUp == true else {
            peerVotes[other] = nil
            return
        }
        peerVotes[other]?.probingFor = []
    }

    /// The replica is gone: it abstains.
    mutating func forget(_ other: UInt64) {
        peerVotes[other] = nil
        dropClaim(of: other)
    }

    private mutating func dropClaim(of other: UInt64) {
        guard peerAlarms.removeValue(forKey: other) != nil else { return }
        countedRounds = countedRounds.filter { $0.instance != other }
        if countedRounds.isEmpty { since = nil }
        reopenCovered()
    }

    /// The alarms that these rest on may be gone: each is answered on its own again.
    private mutating func reopenCovered() {
        for (other, claim) in peerAlarms {
            if case .covered = claim.state { peerAlarms[other]?.state = .open }
        }
    }

    private mutating func hearClaim(_ verdict: Verdict, from other: UInt64, wasKnown: Bool, now: Instant) {
        guard let number = verdict.alarm?.number else { return dropClaim(of: other) }
        guard peerAlarms[other]?.number != number else { return }
        dropClaim(of: other)
        let isCovered =
            verdict.alarm?.isJoined == true && !verdict.answers.isEmpty
            && verdict.answers.allSatisfy { isAnswering($0, now) }
        peerAlarms[other] = PeerAlarm(
            number: number, receivedAt: now, isFresh: wasKnown, state: isCovered ? .covered : .open)
    }

    /// Whether this replica's verdict names the round, or will, and the round, if another replica's, is recent.
    private func isAnswering(_ round: Round, _ now: Instant) -> Bool {
        if round.instance == instance { return round.number == alarm }
        guard isYoung(round, now), let claim = peerAlarms[round.instance] else { return false }
        switch claim.state {
        case .open, .probing, .answered: return true
        case .covered: return false
        }
    }

    private mutating func acceptTestimonies() {
        for other in peerVotes.keys { accept(other) }
    }

    private mutating func accept(_ other: UInt64) {
        guard let peerVote = peerVotes[other], peerVote.isUp != nil, !peerVote.isAccepted else { return }
        let raisedIt =
            peerAlarms[other].map { countedRounds.contains(Round(instance: other, number: $0.number)) } ?? false
        if raisedIt || peerVote.answers.contains(where: countedRounds.contains) {
            peerVotes[other]?.isAccepted = true
        }
    }

    // MARK: The votes

    /// The votes without this replica's own; nil as long as nothing can be concluded.
    /// - Parameters:
    ///   - leaseMilliseconds: after this time, silence counts as an abstention.
    ///   - probeTimeoutMilliseconds: added for replicas that reported a probe in progress.
    ///   - waits: whether to wait for replicas that may still answer without being known.
    func tally(
        members: some Collection<UInt64>, leaseMilliseconds: Int64, probeTimeoutMilliseconds: Int64, waits: Bool,
        now: Instant
    ) -> Tally? {
        guard let since else { return nil }
        let isInTime = now < since.advanced(byMilliseconds: leaseMilliseconds)
        let isInProbeTime = now < since.advanced(byMilliseconds: leaseMilliseconds + probeTimeoutMilliseconds)
        if waits, isInTime { return nil }
        var tally = Tally()
        for member in members {
            let peerVote = peerVotes[member] ?? PeerVote()
            if peerVote.isAccepted, let isUp = peerVote.isUp {
                if isUp { tally.up += 1 } else { tally.down += 1 }
            } else if isInTime || isInProbeTime && peerVote.probingFor.contains(where: countedRounds.contains) {
                tally.outstanding += 1
            }
        }
        return tally
    }

    // MARK: What is reported

    func verdict(service: ServiceHash, backend: BackendHash, now: Instant) -> Verdict {
        var answers = answeredRounds
        var state: Verdict.State =
            switch own {
            case .up: .up
            case .suspected: .unsure
            case .down: .down
            }
        if isLongProbing(now), case .running(_, let rounds) = probe {
            state = .unsure
            answers += rounds.filter { peerAlarms[$0.instance]?.number == $0.number }
        }
        return Verdict(
            service: service, backend: backend, state: state,
            alarm: alarm.map { .init(number: $0, isJoined: isJoined) },
            answers: answers.suffix(FleetMessage.answersMax))
    }

    /// True once for a probe that others wait for and that takes long.
    mutating func mustTellProbe(now: Instant) -> Bool {
        guard !isProbeTold, isLongProbing(now) else { return false }
        isProbeTold = true
        return true
    }

    private func isLongProbing(_ now: Instant) -> Bool {
        guard case .running(let began, let rounds) = probe, !rounds.isEmpty else { return false }
        return now >= began.advanced(byMilliseconds: Self.tellingDelayMilliseconds)
    }
}

extension BackendVoting.PeerAlarm {
    fileprivate var isOpen: Bool {
        if case .open = state { true } else { false }
    }
}
