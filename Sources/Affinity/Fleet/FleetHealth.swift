/// Judges the health of backends together with the other replicas: a replica that alone cannot reach a backend must not
/// move everyone's sessions off it (end of section 5 of the affinity protocol).
///
/// Pure, one per replica. Sessions may be reassigned off a backend that is down here if, of the verdicts newer than the
/// alarm, strictly more say down than up, this replica's included. Silence for one lease is an abstention; a
/// replica that reports a probe in progress is given the probe's time-out as well. A replica that hears no other
/// decides alone. While the channel is not live, this judgement lets no session be reassigned.
package struct FleetHealth: Sendable {
    /// Minimum milliseconds between two publications.
    package static let publicationGapMilliseconds: Int64 = 10
    /// How many publications out of turn may follow each other; one more is earned in a tenth of the fleet's interval.
    private static let publicationBurst: Int64 = 8
    /// Milliseconds. If no tick arrived for this long, this replica may also have missed messages.
    private static let interruption: Int64 = 1000

    package enum Action: Equatable, Sendable {
        /// Send this to the fleet's channel; if that fails at once, call ``FleetHealth/publicationFailed()``.
        case publish([UInt8])
        /// Probe the backend now, and report the outcome by ``FleetHealth/probed(_:isUp:now:)``.
        case probe(FleetBackend)
        case setMayReassign(FleetBackend, Bool)
        case setAvoided(FleetBackend, Bool)
        /// Whether this replica judges alone, for all backends.
        case setAlone(Bool)
        /// Whether all replicas heard are configured alike.
        case setConfigurationsAgree(Bool)
    }

    package private(set) var roster: FleetRoster
    /// Messages that were not of this format, or were late or over the roster's capacity.
    package private(set) var ignoredMessages: UInt64 = 0
    private var own: FleetMessage.Sender
    private let version: String
    /// Milliseconds.
    private let leaseMilliseconds: Int64
    private let probeTimeoutMilliseconds: Int64
    private var backends: Set<FleetBackend>
    /// The backends whose probes may take longer than others, and how long.
    private var slowProbes: [FleetBackend: Int64] = [:]
    private var disputes: [FleetBackend: BackendVoting] = [:]
    private var lastNumber: UInt32 = 0

    private var lease = FleetMessage.Lease.lost
    private var liveSince: Instant?
    private var lastTick: Instant?
    /// Whether this replica judges alone.
    package private(set) var isAlone = false
    private var configurationsAgree = true

    private var sequence: UInt64 = 0
    private var shouldLog = true
    private var lastPublication: Instant?
    private var nextPresence: Instant?
    private var credit = publicationBurst
    private var creditedAt: Instant?

    /// - Parameters:
    ///   - backends: the backends of services whose sessions are shared.
    ///   - leaseMilliseconds: the lease of the coherence channel.
    ///   - probeTimeoutMilliseconds: how long a probe takes at most.
    ///   - standby: what the first message says; nil: nothing, as in an earlier release.
    package init(
        own: FleetMessage.Sender, backends: Set<FleetBackend>, leaseMilliseconds: Int64,
        probeTimeoutMilliseconds: Int64, standby: StandbyStatus? = nil
    ) {
        self.own = own
        version = own.version
        self.leaseMilliseconds = leaseMilliseconds
        self.probeTimeoutMilliseconds = probeTimeoutMilliseconds
        roster = FleetRoster(configuration: own.configuration)
        self.backends = backends
        if let standby { standbyChanged(to: standby, isUrgent: false) }
    }

    /// Whether a publication waits only for time to pass: a tick after ``publicationGapMilliseconds`` may send it.
    package var isHoldingBack: Bool { shouldLog && credit > 0 }

    /// The replica is configured anew; the others hear of it as soon as a publication is allowed. Disputes about
    /// backends that stay continue.
    ///
    /// - Parameters:
    ///   - configuration: the fingerprint of what must be configured alike everywhere.
    ///   - backends: the backends of services whose sessions are shared.
    ///   - renewed: backends that are now other servers under the same name: earlier verdicts on them are void.
    ///   - slowProbes: how long probes of a backend take at most, in milliseconds, if longer than others: those that
    ///     are health checks.
    package mutating func reconfigured(
        configuration: UInt64, backends: Set<FleetBackend>, renewed: Set<FleetBackend> = [],
        slowProbes: [FleetBackend: Int64] = [:], now: Instant
    ) -> [Action] {
        self.backends = backends
        self.slowProbes = slowProbes
        var actions: [Action] = []
        for backend in disputes.keys.sorted() where !backends.contains(backend) || renewed.contains(backend) {
            guard let dispute = disputes.removeValue(forKey: backend) else { continue }
            if dispute.mayReassign { actions.append(.setMayReassign(backend, false)) }
            if dispute.isAvoided { actions.append(.setAvoided(backend, false)) }
            if dispute.isWorthTelling { shouldLog = true }
        }
        if own.configuration != configuration {
            own.configuration = configuration
            roster.configuration = configuration
            nextPresence = now
        }
        judgeFleet(into: &actions, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    /// The other replicas hear this status with the next message.
    /// - Parameter isUrgent: whether that is news which does not wait for the next message in turn.
    package mutating func standbyChanged(to status: StandbyStatus, isUrgent: Bool) {
        own.version = FleetText.cleaned(status.following(version: version))
        if isUrgent { shouldLog = true }
    }

    // MARK: Own evidence

    /// A connection to the backend failed, and another is being tried.
    package mutating func suspected(_ backend: FleetBackend, now: Instant) -> [Action] {
        changed(backend, now: now) { $0.suspect(number: $1, now: now) }
    }

    /// The backend is now down here, or up again.
    package mutating func judged(_ backend: FleetBackend, isUp: Bool, now: Instant) -> [Action] {
        guard !isUp || disputes[backend] != nil else { return [] }
        return changed(backend, now: now) { $0.judge(isUp: isUp, number: $1) }
    }

    /// A requested probe has ended.
    package mutating func probed(_ backend: FleetBackend, isUp: Bool, now: Instant) -> [Action] {
        guard disputes[backend] != nil else { return [] }
        return changed(backend, now: now) { $0.probeEnded(isUp: isUp, number: $1, now: now) }
    }

    /// Whether the backend counts as down here: after a probe this may be news to the prober.
    package func isDown(_ backend: FleetBackend) -> Bool {
        if case .down = disputes[backend]?.own { true } else { false }
    }

    private mutating func changed(
        _ backend: FleetBackend, now: Instant, _ event: (inout BackendVoting, UInt32) -> Bool
    ) -> [Action] {
        guard backends.contains(backend) else { return [] }
        let number = takeNumber()
        var dispute = disputes[backend] ?? emptyDispute(about: backend)
        if event(&dispute, number) { shouldLog = true }
        disputes[backend] = dispute
        var actions = advance(backend, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    private mutating func takeNumber() -> UInt32 {
        lastNumber &+= 1
        return lastNumber
    }

    private func emptyDispute(about backend: FleetBackend) -> BackendVoting {
        BackendVoting(
            instance: own.instance, freshnessMilliseconds: probeTimeout(of: backend) + 2 * leaseMilliseconds)
    }

    /// In milliseconds.
    private func probeTimeout(of backend: FleetBackend) -> Int64 {
        max(probeTimeoutMilliseconds, slowProbes[backend] ?? 0)
    }

    // MARK: The others

    /// A message arrived on the fleet's channel. It may be one of this replica's own.
    package mutating func received(_ payload: UnsafeRawBufferPointer, now: Instant) -> [Action] {
        guard let message = FleetMessage(payload) else {
            ignoredMessages &+= 1
            return []
        }
        return received(message, now: now)
    }

    package mutating func received(_ message: FleetMessage, now: Instant) -> [Action] {
        var verdicts: [FleetBackend: FleetMessage.Verdict] = [:]
        for verdict in message.verdicts {
            let backend = FleetBackend(service: verdict.service, backend: verdict.backend)
            if backends.contains(backend) { verdicts[backend] = verdict }
        }
        let other = message.sender.instance
        guard other != own.instance else { return receivedOwn(verdicts, now: now) }
        guard message.lease != .left else { return roster.left(message) ? forget(other, now: now) : [] }
        let wasKnown = roster.members[other]?.isCurrent == true
        guard roster.received(message, now: now) else {
            ignoredMessages &+= 1
            return []
        }
        var actions: [Action] = []
        for backend in Set(disputes.keys).union(verdicts.keys).sorted() {
            var dispute = disputes[backend] ?? emptyDispute(about: backend)
            dispute.received(verdicts[backend], from: other, wasKnown: wasKnown, now: now)
            disputes[backend] = dispute
            actions += advance(backend, now: now)
        }
        judgeFleet(into: &actions, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    /// A replica has stopped: it has no vote, and its answer is no longer awaited.
    private mutating func forget(_ other: UInt64, now: Instant) -> [Action] {
        var actions: [Action] = []
        for backend in disputes.keys.sorted() {
            disputes[backend]?.forget(other)
            actions += advance(backend, now: now)
        }
        judgeFleet(into: &actions, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    /// A message that comes back has reached every subscriber.
    private mutating func receivedOwn(
        _ verdicts: [FleetBackend: FleetMessage.Verdict], now: Instant
    ) -> [Action] {
        var actions: [Action] = []
        for (backend, verdict) in verdicts.sorted(by: { $0.key < $1.key }) {
            guard let alarm = verdict.alarm else { continue }
            disputes[backend]?.alarmReceived(alarm.number, now: now)
            actions += advance(backend, now: now)
        }
        publish(into: &actions, now: now)
        return actions
    }

    /// The fleet's channel was subscribed to, for the first time or again: messages may have been missed.
    package mutating func subscribed(now: Instant) -> [Action] {
        liveSince = lease == .live ? now : nil
        shouldLog = true
        roster.beginAnew()
        var actions: [Action] = []
        for backend in disputes.keys.sorted() {
            let number = takeNumber()
            disputes[backend]?.beginAnew(number: number)
            actions += advance(backend, now: now)
        }
        judgeFleet(into: &actions, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    // MARK: Time

    /// Call this several times within the shortest of the configured times: every 50 ms.
    /// - Parameter lease: the state of the coherence channel.
    package mutating func tick(lease: FleetMessage.Lease, now: Instant) -> [Action] {
        noticeInterruption(now: now)
        if (lease == .live) != (self.lease == .live) { liveSince = lease == .live ? now : nil }
        if lease != self.lease { shouldLog = true }
        self.lease = lease
        for gone in roster.forgetSilent(now: now) {
            for backend in disputes.keys { disputes[backend]?.forget(gone) }
        }
        var actions: [Action] = []
        judgeFleet(into: &actions, now: now)
        for backend in disputes.keys.sorted() {
            if disputes[backend]?.mustTellProbe(now: now) == true { shouldLog = true }
            actions += advance(backend, now: now)
        }
        publish(into: &actions, now: now)
        return actions
    }

    private mutating func noticeInterruption(now: Instant) {
        if let lastTick, now > lastTick.advanced(byMilliseconds: Self.interruption) {
            roster.forgiveSilence(now: now)
            if liveSince != nil { liveSince = now }
        }
        lastTick = now
    }

    // MARK: The judgement

    private mutating func judgeFleet(into actions: inout [Action], now: Instant) {
        let isAlone = roster.members.isEmpty && isSettled(now)
        if isAlone != self.isAlone {
            self.isAlone = isAlone
            actions.append(.setAlone(isAlone))
        }
        let agree = roster.configurationsAgree
        if agree != configurationsAgree {
            configurationsAgree = agree
            actions.append(.setConfigurationsAgree(agree))
        }
    }

    /// Whether the channel has been live long enough to have heard every replica that is there.
    private func isSettled(_ now: Instant) -> Bool {
        guard let liveSince else { return false }
        return now >= liveSince.advanced(byMilliseconds: FleetRoster.silence(FleetRoster.intervalMinMilliseconds))
    }

    /// Requests the probe that is due, and reports changes of the fleet's judgement.
    private mutating func advance(_ backend: FleetBackend, now: Instant) -> [Action] {
        guard var dispute = disputes[backend] else { return [] }
        var actions: [Action] = []
        if dispute.probeIsDue(now: now) {
            dispute.probeBegan(now: now)
            actions.append(.probe(backend))
        }
        let (mayReassign, isAvoided) = judge(dispute, about: backend, now: now)
        if mayReassign != dispute.mayReassign {
            dispute.mayReassign = mayReassign
            actions.append(.setMayReassign(backend, mayReassign))
        }
        if isAvoided != dispute.isAvoided {
            dispute.isAvoided = isAvoided
            actions.append(.setAvoided(backend, isAvoided))
        }
        disputes[backend] = dispute.isExpired ? nil : dispute
        return actions
    }

    private func judge(
        _ dispute: BackendVoting, about backend: FleetBackend, now: Instant
    ) -> (mayReassign: Bool, isAvoided: Bool) {
        guard lease == .live, !dispute.isExpired,
            let tally = dispute.tally(
                members: roster.members.keys, leaseMilliseconds: leaseMilliseconds,
                probeTimeoutMilliseconds: probeTimeout(of: backend), waits: !isSettled(now),
                now: now)
        else { return (false, false) }
        return switch dispute.own {
        case .up: (false, tally.down > tally.up + 1 + tally.outstanding)
        case .suspected: (false, false)
        case .down: (tally.down + 1 > tally.up + tally.outstanding, false)
        }
    }

    // MARK: Publishing

    /// This replica's last message, so that the others need not wait for it to fall silent. No action that is returned
    /// afterwards may be carried out.
    package mutating func closeReason() -> [UInt8] {
        sequence += 1
        return FleetMessage(
            sender: own, sequence: sequence, lease: .left, intervalMilliseconds: roster.intervalMilliseconds,
            verdicts: []
        )
        .encoded()
    }

    /// The last publication was not sent.
    package mutating func publicationFailed() {
        shouldLog = true
    }

    private mutating func publish(into actions: inout [Action], now: Instant) {
        let isPresenceDue = nextPresence.map { now >= $0 } ?? true
        guard isPresenceDue || shouldLog else { return }
        if let lastPublication, now < lastPublication.advanced(byMilliseconds: Self.publicationGapMilliseconds) {
            return
        }
        earnCredit(now: now)
        guard isPresenceDue || credit > 0 else { return }
        if !isPresenceDue { credit -= 1 }
        let message = nextMessage(now: now)
        lastPublication = now
        nextPresence = now.advanced(byMilliseconds: message.intervalMilliseconds - jitter(message.intervalMilliseconds))
        shouldLog = false
        actions.append(.publish(message.encoded()))
    }

    private mutating func earnCredit(now: Instant) {
        let start = creditedAt ?? now
        let step = max(roster.intervalMilliseconds / 10, 1)
        let earned = now.milliseconds(since: start) / step
        creditedAt = start.advanced(byMilliseconds: earned * step)
        credit = min(credit + max(earned, 0), Self.publicationBurst)
    }

    /// Up to an eighth of the interval, so that replicas that started together do not always publish together.
    private func jitter(_ intervalMilliseconds: Int64) -> Int64 {
        let mixed = (own.instance ^ sequence) &* 0x9e37_79b9_7f4a_7c15
        return Int64(mixed >> 32) * (intervalMilliseconds / 8) >> 32
    }

    private mutating func nextMessage(now: Instant) -> FleetMessage {
        sequence += 1
        let told = disputes.filter { $0.value.isWorthTelling }.map { backend, dispute in
            (backend, dispute.verdict(service: backend.service, backend: backend.backend, now: now))
        }.sorted { first, second in
            // Alarms come first, because the rest may not fit.
            let isLater = (first.1.alarm == nil, second.1.alarm == nil)
            return isLater.0 == isLater.1 ? first.0 < second.0 : isLater.1
        }
        return FleetMessage(
            sender: own, sequence: sequence, lease: lease,
            intervalMilliseconds: min(roster.intervalMilliseconds, FleetMessage.intervalMaxMilliseconds),
            verdicts: told.prefix(FleetMessage.verdictsMax).map(\.1))
    }
}
