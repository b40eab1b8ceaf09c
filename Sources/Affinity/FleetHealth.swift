/// Judges the health of backends together with the other replicas: a replica that alone cannot reach a backend must
/// not move everybody's sessions off it (end of section 5 of the affinity protocol).
///
/// Pure, one for a replica. A backend that is down here may be left when strictly more verdicts that are newer than the
/// announcement say down than up, this replica's included. Silence for one lease abstains; a replica that says it is
/// still probing is given the probe's time-out as well. A replica that hears no other decides alone. While the channel
/// is not live nothing may be left.
package struct FleetHealth: Sendable {
    /// Milliseconds between two publications, at least.
    package static let publicationGap: Int64 = 10
    /// Publications out of turn that may follow each other; one more is earned in a tenth of the fleet's interval.
    private static let publicationBurst: Int64 = 8
    /// Milliseconds. Who was not told the time for so long has not listened either.
    private static let interruption: Int64 = 1000

    package enum Action: Equatable, Sendable {
        /// Send this to the fleet's channel; where that fails at once, say so by ``FleetHealth/publicationFailed()``.
        case publish([UInt8])
        /// Probe the backend now, and report the outcome by ``FleetHealth/probed(_:isUp:now:)``.
        case probe(BackendPlace)
        case setMayLeave(BackendPlace, Bool)
        case setAvoided(BackendPlace, Bool)
        /// Whether this replica judges alone, for all backends.
        case setAlone(Bool)
        /// Whether all replicas that are heard are configured alike.
        case setConfigurationsAgree(Bool)
    }

    /// One service whose sessions are shared.
    package struct Service: Sendable {
        package let hash: ServiceHash
        package let backends: [BackendHash]

        package init(hash: ServiceHash, backends: [BackendHash]) {
            self.hash = hash
            self.backends = backends
        }
    }

    private struct Name: Hashable {
        let service: ServiceHash
        let backend: BackendHash
    }

    package private(set) var roster: FleetRoster
    /// Messages that were none of this format, or told nothing.
    package private(set) var ignoredMessages: UInt64 = 0
    private let own: FleetMessage.Sender
    /// Milliseconds.
    private let leaseDuration: Int64
    private let probeTimeout: Int64
    private let names: [BackendPlace: Name]
    private let places: [Name: BackendPlace]
    private var disputes: [BackendPlace: FleetDispute] = [:]
    private var lastNumber: UInt32 = 0

    private var lease = FleetMessage.Lease.lost
    private var liveSince: Instant?
    private var lastTick: Instant?
    private var isAlone = false
    private var configurationsAgree = true

    private var sequence: UInt64 = 0
    private var isNews = true
    private var lastPublication: Instant?
    private var nextPresence: Instant?
    private var credit = publicationBurst
    private var creditedAt: Instant?

    /// - Parameters:
    ///   - services: by their places; one without backends is not judged.
    ///   - lease: milliseconds.
    ///   - probeTimeout: milliseconds that a probe takes at most.
    package init(own: FleetMessage.Sender, services: [Service], lease: Int64, probeTimeout: Int64) {
        self.own = own
        leaseDuration = lease
        self.probeTimeout = probeTimeout
        roster = FleetRoster(configuration: own.configuration)
        var names: [BackendPlace: Name] = [:]
        for (service, description) in services.enumerated() {
            for (backend, hash) in description.backends.enumerated() {
                names[BackendPlace(service: service, backend: backend)] = Name(
                    service: description.hash, backend: hash)
            }
        }
        self.names = names
        places = Dictionary(names.map { ($0.value, $0.key) }, uniquingKeysWith: { min($0, $1) })
    }

    /// Whether a publication waits only for time to pass: a tick after ``publicationGap`` may bring it.
    package var isHoldingBack: Bool { isNews && credit > 0 }

    // MARK: Own evidence

    /// A connection to the backend failed, and another is being tried.
    package mutating func suspected(_ place: BackendPlace, now: Instant) -> [Action] {
        changed(place, now: now) { $0.suspect(number: $1, now: now) }
    }

    /// The backend is down here now, or up again.
    package mutating func judged(_ place: BackendPlace, isUp: Bool, now: Instant) -> [Action] {
        guard !isUp || disputes[place] != nil else { return [] }
        return changed(place, now: now) { $0.judge(isUp: isUp, number: $1) }
    }

    /// A probe that was asked for has ended.
    package mutating func probed(_ place: BackendPlace, isUp: Bool, now: Instant) -> [Action] {
        guard disputes[place] != nil else { return [] }
        return changed(place, now: now) { $0.probeEnded(isUp: isUp, number: $1, now: now) }
    }

    /// Whether the backend counts as down here: after a probe this may be news to whoever made the probe.
    package func isDown(_ place: BackendPlace) -> Bool {
        if case .down = disputes[place]?.own { true } else { false }
    }

    private mutating func changed(
        _ place: BackendPlace, now: Instant, _ event: (inout FleetDispute, UInt32) -> Bool
    ) -> [Action] {
        guard names[place] != nil else { return [] }
        let number = takeNumber()
        var dispute = disputes[place] ?? emptyDispute
        if event(&dispute, number) { isNews = true }
        disputes[place] = dispute
        var actions = advance(place, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    private mutating func takeNumber() -> UInt32 {
        lastNumber &+= 1
        return lastNumber
    }

    private var emptyDispute: FleetDispute {
        FleetDispute(instance: own.instance, youth: probeTimeout + 2 * leaseDuration)
    }

    // MARK: The others

    /// A message came on the fleet's channel, this replica's own ones included.
    package mutating func heard(_ payload: UnsafeRawBufferPointer, now: Instant) -> [Action] {
        guard let message = FleetMessage(payload) else {
            ignoredMessages &+= 1
            return []
        }
        return heard(message, now: now)
    }

    package mutating func heard(_ message: FleetMessage, now: Instant) -> [Action] {
        var verdicts: [BackendPlace: FleetMessage.Verdict] = [:]
        for verdict in message.verdicts {
            if let place = places[Name(service: verdict.service, backend: verdict.backend)] {
                verdicts[place] = verdict
            }
        }
        let other = message.sender.instance
        guard other != own.instance else { return heardItself(verdicts, now: now) }
        guard message.lease != .left else { return roster.left(message) ? forget(other, now: now) : [] }
        let wasKnown = roster.members[other]?.isCurrent == true
        guard roster.heard(message, now: now) else {
            ignoredMessages &+= 1
            return []
        }
        var actions: [Action] = []
        for place in Set(disputes.keys).union(verdicts.keys).sorted() {
            var dispute = disputes[place] ?? emptyDispute
            dispute.heard(verdicts[place], from: other, wasKnown: wasKnown, now: now)
            disputes[place] = dispute
            actions += advance(place, now: now)
        }
        judgeFleet(into: &actions, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    /// A replica has stopped: it has no vote, and nobody waits for its answer.
    private mutating func forget(_ other: UInt64, now: Instant) -> [Action] {
        var actions: [Action] = []
        for place in disputes.keys.sorted() {
            disputes[place]?.forget(other)
            actions += advance(place, now: now)
        }
        judgeFleet(into: &actions, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    /// What comes back has reached everyone who listens.
    private mutating func heardItself(
        _ verdicts: [BackendPlace: FleetMessage.Verdict], now: Instant
    ) -> [Action] {
        var actions: [Action] = []
        for (place, verdict) in verdicts.sorted(by: { $0.key < $1.key }) {
            guard let announcement = verdict.announcement else { continue }
            disputes[place]?.announcementHeard(announcement.number, now: now)
            actions += advance(place, now: now)
        }
        publish(into: &actions, now: now)
        return actions
    }

    /// The fleet's channel was subscribed to, for the first time or again: messages may have been missed.
    package mutating func subscribed(now: Instant) -> [Action] {
        liveSince = lease == .live ? now : nil
        isNews = true
        roster.beginAnew()
        var actions: [Action] = []
        for place in disputes.keys.sorted() {
            let number = takeNumber()
            disputes[place]?.beginAnew(number: number)
            actions += advance(place, now: now)
        }
        judgeFleet(into: &actions, now: now)
        publish(into: &actions, now: now)
        return actions
    }

    // MARK: Time

    /// Wanted several times in the shortest of the times that are given: every 50 ms.
    /// - Parameter lease: how far the coherence channel is.
    package mutating func tick(lease: FleetMessage.Lease, now: Instant) -> [Action] {
        noticeInterruption(now: now)
        if (lease == .live) != (self.lease == .live) { liveSince = lease == .live ? now : nil }
        if lease != self.lease { isNews = true }
        self.lease = lease
        for gone in roster.forgetSilent(now: now) {
            for place in disputes.keys { disputes[place]?.forget(gone) }
        }
        var actions: [Action] = []
        judgeFleet(into: &actions, now: now)
        for place in disputes.keys.sorted() {
            if disputes[place]?.mustTellProbe(now: now) == true { isNews = true }
            actions += advance(place, now: now)
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

    /// Whether the channel has been live for so long that everyone has been heard who is there.
    private func isSettled(_ now: Instant) -> Bool {
        guard let liveSince else { return false }
        return now >= liveSince.advanced(byMilliseconds: FleetRoster.silence(FleetRoster.intervalMin))
    }

    /// Asks for the probe that is due, and says what the fleet's judgement has become.
    private mutating func advance(_ place: BackendPlace, now: Instant) -> [Action] {
        guard var dispute = disputes[place] else { return [] }
        var actions: [Action] = []
        if dispute.probeIsDue(now: now) {
            dispute.probeBegan(now: now)
            actions.append(.probe(place))
        }
        let (mayLeave, isAvoided) = judge(dispute, now: now)
        if mayLeave != dispute.mayLeave {
            dispute.mayLeave = mayLeave
            actions.append(.setMayLeave(place, mayLeave))
        }
        if isAvoided != dispute.isAvoided {
            dispute.isAvoided = isAvoided
            actions.append(.setAvoided(place, isAvoided))
        }
        disputes[place] = dispute.isOver ? nil : dispute
        return actions
    }

    private func judge(_ dispute: FleetDispute, now: Instant) -> (mayLeave: Bool, isAvoided: Bool) {
        guard lease == .live, !dispute.isOver,
            let tally = dispute.tally(
                members: roster.members.keys, lease: leaseDuration, probeTimeout: probeTimeout, waits: !isSettled(now),
                now: now)
        else { return (false, false) }
        return switch dispute.own {
        case .up: (false, tally.down > tally.up + 1 + tally.outstanding)
        case .suspected: (false, false)
        case .down: (tally.down + 1 > tally.up + tally.outstanding, false)
        }
    }

    // MARK: Publishing

    /// The last that this replica says, so that the others need not wait for it to fall silent. Nothing that it decides
    /// may be carried out afterwards.
    package mutating func farewell() -> [UInt8] {
        sequence += 1
        return FleetMessage(sender: own, sequence: sequence, lease: .left, interval: roster.interval, verdicts: [])
            .encoded()
    }

    /// What was to be published was not sent.
    package mutating func publicationFailed() {
        isNews = true
    }

    private mutating func publish(into actions: inout [Action], now: Instant) {
        let isPresenceDue = nextPresence.map { now >= $0 } ?? true
        guard isPresenceDue || isNews else { return }
        if let lastPublication, now < lastPublication.advanced(byMilliseconds: Self.publicationGap) { return }
        earnCredit(now: now)
        guard isPresenceDue || credit > 0 else { return }
        if !isPresenceDue { credit -= 1 }
        let message = nextMessage(now: now)
        lastPublication = now
        nextPresence = now.advanced(byMilliseconds: message.interval - jitter(message.interval))
        isNews = false
        actions.append(.publish(message.encoded()))
    }

    private mutating func earnCredit(now: Instant) {
        let start = creditedAt ?? now
        let step = max(roster.interval / 10, 1)
        let earned = now.milliseconds(since: start) / step
        creditedAt = start.advanced(byMilliseconds: earned * step)
        credit = min(credit + max(earned, 0), Self.publicationBurst)
    }

    /// Up to an eighth, so that replicas that began together do not always speak together.
    private func jitter(_ interval: Int64) -> Int64 {
        let mixed = (own.instance ^ sequence) &* 0x9e37_79b9_7f4a_7c15
        return Int64(mixed >> 32) * (interval / 8) >> 32
    }

    private mutating func nextMessage(now: Instant) -> FleetMessage {
        sequence += 1
        let told = disputes.filter { $0.value.isWorthTelling }.compactMap { place, dispute in
            names[place].map { (place, dispute.verdict(service: $0.service, backend: $0.backend, now: now)) }
        }.sorted { first, second in
            // What is announced comes first: the rest may find no place.
            let isLater = (first.1.announcement == nil, second.1.announcement == nil)
            return isLater.0 == isLater.1 ? first.0 < second.0 : isLater.1
        }
        return FleetMessage(
            sender: own, sequence: sequence, lease: lease, interval: min(roster.interval, FleetMessage.intervalMax),
            verdicts: told.prefix(FleetMessage.verdictsMax).map(\.1))
    }
}
