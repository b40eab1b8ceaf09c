/// Which server is the store's primary, judged from what its Sentinels say. Events in, actions out.
///
/// All Sentinels are asked side by side, a round at a time. What a majority of those configured names is the primary.
/// A minority never changes the primary, whatever epoch it claims and however few contradict it, because it may be cut
/// off, or lie; it is used only at a start, where nothing else is known. Messages of fail-overs, lost connections,
/// refusals and silence name no primary: they only bring the next round forward.
package struct SentinelTopology: Sendable {
    /// What one Sentinel answers.
    package enum Answer: Hashable, Sendable {
        /// It names this server. The epoch grows with each fail-over that Sentinels agree on.
        case primary(ServerAddress, epoch: UInt64)
        /// It watches no primary of the configured name.
        case unknownName
        /// It cannot be asked, or has not answered.
        case silent
    }

    package enum Action: Hashable, Sendable {
        /// Ask all Sentinels. Each answer, or its failure, is reported with the same time.
        case ask(at: Instant)
        /// This server is the primary from now on.
        case use(ServerAddress)
        /// A majority names this server, asked at this time.
        case confirmed(ServerAddress, askedAt: Instant)
    }

    /// What the primary in use rests on.
    package enum Basis: Hashable, Sendable {
        /// No Sentinel has named a primary yet.
        case nothing
        /// A majority named it.
        case majority
        /// Nothing was known, and the answers of a majority contradicted each other; it has the highest epoch.
        case highestEpoch
        /// Nothing was known, and fewer than a majority answered.
        case minority
    }

    private struct Named {
        let address: ServerAddress
        /// The epochs at which it is named, the highest first.
        var epochs: [UInt64]

        var count: Int { epochs.count }
        var highestEpoch: UInt64 { epochs.first ?? 0 }

        /// The highest epoch that at least this number of Sentinels vouches for.
        func epoch(vouchedBy count: Int) -> UInt64 { epochs.count >= count ? epochs[count - 1] : 0 }
    }

    /// In milliseconds. What has not answered by then counts as silent in this round.
    package static let answerTimeoutMilliseconds: Int64 = 250
    /// Milliseconds between rounds for ``urgentMilliseconds`` after a hint.
    package static let urgentIntervalMilliseconds: Int64 = 100
    /// Milliseconds between rounds while the primary is not in use, or is in doubt.
    package static let doubtfulIntervalMilliseconds: Int64 = 500
    /// Milliseconds between rounds otherwise.
    package static let quietIntervalMilliseconds: Int64 = 5000
    package static let urgentMilliseconds: Int64 = 1000
    /// Another hint this soon, in milliseconds, asks once at most, so that an outage does not keep all replicas asking.
    private static let hintsApartMilliseconds: Int64 = 5000
    /// In milliseconds. A majority that names another server at a lower epoch counts only if it has done so for this
    /// long: Sentinels that were restarted with old knowledge hear of the fail-over one after the other.
    package static let patienceMilliseconds: Int64 = 2000
    /// Milliseconds from the start during which a minority is not believed: others may be about to answer.
    package static let startMilliseconds: Int64 = 500

    /// The number of Sentinels that must agree.
    package let majority: Int
    private var answers: [Answer?]
    /// When the last round began. Its answers count until the next one.
    private var askedAt = Instant.distantPast
    /// Whether answers to the last round are still awaited.
    package private(set) var isAsking = false
    private var nextAskAt = Instant.distantPast
    private var startedAt: Instant?
    private var urgentSince = Instant.distantPast
    private var used: (address: ServerAddress, epoch: UInt64)?
    private var contender: (address: ServerAddress, since: Instant)?
    /// What a majority names in the current round. Nil until one does.
    private var agreed: ServerAddress?
    /// What the primary in use rests on.
    package private(set) var basis = Basis.nothing
    /// The number of Sentinels that named a primary in the last round that is over.
    package private(set) var heard = 0
    /// Whether a majority agreed in the last round that is over.
    package private(set) var isAgreed = false
    /// What each Sentinel names in place of what a majority does, and since when.
    private var dissent: [(address: ServerAddress, since: Instant)?]

    /// - Parameter sentinels: the number of Sentinels configured, 1 or more.
    package init(sentinels: Int) {
        let count = max(1, sentinels)
        majority = count / 2 + 1
        answers = Array(repeating: nil, count: count)
        dissent = Array(repeating: nil, count: count)
    }

    /// The number of Sentinels configured.
    package var configured: Int { answers.count }

    /// The server to use. Nil until one is known.
    package var primary: ServerAddress? { used?.address }

    /// The Sentinels, by number, that have named another server than the majority for ``patienceMilliseconds``, and
    /// which.
    package func dissenting(now: Instant) -> [Int: ServerAddress] {
        var dissenting: [Int: ServerAddress] = [:]
        for case (let index, (let address, let since)?) in dissent.enumerated()
        where now.milliseconds(since: since) >= Self.patienceMilliseconds { dissenting[index] = address }
        return dissenting
    }

    /// When `tick` must be called next.
    package var nextTick: Instant {
        isAsking ? askedAt.advanced(byMilliseconds: Self.answerTimeoutMilliseconds) : nextAskAt
    }

    // MARK: Events

    /// - Parameter isInUse: whether the coherence channel to the primary in use is live.
    package mutating func tick(isInUse: Bool, now: Instant) -> [Action] {
        if startedAt == nil { startedAt = now }
        var actions: [Action] = []
        if isAsking, now >= nextTick { actions += close(isInUse: isInUse, now: now) }
        if !isAsking, now >= nextAskAt { actions.append(open(now: now)) }
        return actions
    }

    /// Something may have changed: ask soon.
    ///
    /// - Parameter isCertain: whether a Sentinel reports a fail-over, or a connection to it was made.
    package mutating func hinted(isCertain: Bool, now: Instant) {
        if isCertain || now.milliseconds(since: urgentSince) >= Self.hintsApartMilliseconds { urgentSince = now }
        nextAskAt = min(nextAskAt, askedAt.advanced(byMilliseconds: Self.urgentIntervalMilliseconds))
    }

    /// A Sentinel has answered, or failed to.
    ///
    /// - Parameters:
    ///   - sentinel: its number, from 0. Others are ignored.
    ///   - askedAt: as in ``Action/ask(at:)``. Answers to earlier rounds are ignored.
    package mutating func answered(
        _ answer: Answer, by sentinel: Int, askedAt: Instant, isInUse: Bool, now: Instant
    ) -> [Action] {
        guard isAsking, askedAt == self.askedAt, answers.indices.contains(sentinel), answers[sentinel] == nil else {
            return []
        }
        answers[sentinel] = answer
        let actions = judgeAgreement(now: now)
        return answers.contains(nil) ? actions : actions + close(isInUse: isInUse, now: now)
    }

    // MARK: Rounds

    private mutating func open(now: Instant) -> Action {
        isAsking = true
        agreed = nil
        askedAt = now
        for index in answers.indices { answers[index] = nil }
        return .ask(at: now)
    }

    private mutating func close(isInUse: Bool, now: Instant) -> [Action] {
        isAsking = false
        let named = named
        heard = named.reduce(0) { $0 + $1.count }
        isAgreed = agreed != nil
        noteDissent(now: now)
        let actions = isAgreed ? [] : judgeContradiction(named, now: now)
        let isUrgent = now.milliseconds(since: urgentSince) < Self.urgentMilliseconds
        let isQuiet = isInUse && isAgreed && contender == nil && basis == .majority
        let interval =
            isUrgent
            ? Self.urgentIntervalMilliseconds
            : isQuiet ? Self.quietIntervalMilliseconds : Self.doubtfulIntervalMilliseconds
        nextAskAt = askedAt.advanced(byMilliseconds: interval)
        return actions
    }

    /// What a Sentinel said last counts while it is silent.
    private mutating func noteDissent(now: Instant) {
        guard let agreed else { return }
        for (index, answer) in answers.enumerated() {
            guard case .primary(let address, _) = answer else { continue }
            if address == agreed {
                dissent[index] = nil
            } else if dissent[index]?.address != address {
                dissent[index] = (address, now)
            }
        }
    }

    /// The servers that are named in this round. There are never more than Sentinels.
    private var named: [Named] {
        var named: [Named] = []
        for case .primary(let address, let epoch) in answers {
            if let index = named.firstIndex(where: { $0.address == address }) {
                named[index].epochs.append(epoch)
            } else {
                named.append(Named(address: address, epochs: [epoch]))
            }
        }
        for index in named.indices { named[index].epochs.sort(by: >) }
        return named
    }

    /// Does not wait for the others once a majority agrees.
    private mutating func judgeAgreement(now: Instant) -> [Action] {
        guard agreed == nil, let agreed = named.first(where: { $0.count >= majority }) else { return [] }
        self.agreed = agreed.address
        let confirmed = Action.confirmed(agreed.address, askedAt: askedAt)
        guard let used, basis == .majority, used.address != agreed.address,
            agreed.epoch(vouchedBy: majority) < used.epoch
        else {
            return use(agreed, .majority) + [confirmed]
        }
        // Sentinels that were restored from a backup, or told to watch another server.
        return isPatientlyContended(by: agreed, now: now) ? use(agreed, .majority) + [confirmed] : []
    }

    /// No majority agrees: the primary that is known is kept.
    private mutating func judgeContradiction(_ named: [Named], now: Instant) -> [Action] {
        contender = nil
        let best = named.max { ($0.highestEpoch, $0.count) < ($1.highestEpoch, $1.count) }
        guard used == nil, let best, let startedAt, now.milliseconds(since: startedAt) >= Self.startMilliseconds else {
            return []
        }
        return use(best, heard < majority ? .minority : .highestEpoch)
    }

    private mutating func isPatientlyContended(by other: Named, now: Instant) -> Bool {
        guard let contender, contender.address == other.address else {
            contender = (other.address, now)
            return false
        }
        return now.milliseconds(since: contender.since) >= Self.patienceMilliseconds
    }

    private mutating func use(_ named: Named, _ basis: Basis) -> [Action] {
        let isOther = used?.address != named.address
        used = (named.address, basis == .majority ? named.epoch(vouchedBy: majority) : named.highestEpoch)
        contender = nil
        self.basis = basis
        return isOther ? [.use(named.address)] : []
    }
}
