import Affinity

/// A request in progress.
struct SimulatedRequest {
    let id: Int
    let client: Int
    let session: Fingerprint
    let replica: SimulatedReplica
    let life: Int
    let loop: Int
    /// The hint that the request presented, authentic and valid.
    let hint: Hint?
    let isForged: Bool
    var decision: Decision
    /// When the request first queried the store, and how often.
    var pendingSince: Moment?
    var operations = 0
    var lastRecord: Binding?
    var route: Route?
}

/// What a route is based on.
enum DecisionBasis {
    /// A cache entry that the channel guarantees.
    case cache
    /// A result of the store.
    case result(Binding, AnswerOrigin)
    /// Neither.
    case alone
}

/// Requests, from the client to the backend and back.
extension Simulation {
    func begin(_ client: Int, _ loop: Int, forged: Bool, at replica: SimulatedReplica) {
        coverage.count("requests")
        let hint = forged ? nil : presentedHint(client, at: replica)
        let session = forged ? nextSession() : clients[client].session
        let instant = replica.instant(now)
        let entry = replica.cache.peek(session, now: instant)
        let decision = Decision(
            fingerprint: session, hint: overlook(hint, entry), hintVouches: vouches(hint, at: replica),
            isNew: forged || clients[client].isNew)
        let request = SimulatedRequest(
            id: nextSerial(), client: client, session: session, replica: replica, life: replica.life, loop: loop,
            hint: hint, isForged: forged, decision: decision)
        decide(request) { affinity, decision, mayAsk in
            affinity.begin(&decision, storeIsAvailable: mayAsk, now: instant)
        }
    }

    /// A cookie whose hint is too old is treated as absent: the session begins again.
    private func presentedHint(_ client: Int, at replica: SimulatedReplica) -> Hint? {
        guard let hint = clients[client].hint else { return nil }
        guard !replica.renewal.isValid(hint, now: replica.wall(now)) else { return hint }
        coverage.count("hints expired")
        clients[client].forget(nextSession())
        return nil
    }

    private func overlook(_ hint: Hint?, _ entry: BindingCache.Entry?) -> Hint? {
        guard !has(.hintEpoch), var hint, let entry else { return hint }
        hint.binding.epoch = min(hint.binding.epoch, entry.binding.epoch)
        return hint
    }

    /// A step that does not follow a result of the store.
    private func decide(
        _ request: SimulatedRequest, _ body: (inout SessionAffinity, inout Decision, Bool) -> Step
    ) {
        var request = request
        let replica = request.replica
        let mayAsk = replica.mayAsk(loop: request.loop, about: request.session, now: now)
        let entry = replica.cache.peek(request.session, now: replica.instant(now))
        let isCurrent =
            entry.map { replica.isCurrent($0, of: request.session, hint: request.decision.hint, now: now) } ?? false
        let step = body(&replica.loops[request.loop].affinity, &request.decision, mayAsk)
        var isByCache = false
        if case .forward(let route) = step, isCurrent, route.provenance == .cached {
            isByCache = entry?.binding == route.binding
        }
        follow(step, request, isByCache ? .cache : .alone)
    }

    // MARK: Steps

    func follow(_ step: Step, _ request: SimulatedRequest, _ basis: DecisionBasis) {
        var request = request
        switch step {
        case .send(let operation):
            request.operations += 1
            if request.pendingSince == nil { request.pendingSince = now }
            let operation = restoringExpired(operation, at: request.replica)
            check(operation, of: request)
            requests[request.id] = request
            askOnce(operation, for: request)
        case .forward(let route):
            if let operation = unlicensedMove(route, request) { return follow(.send(operation), request, .alone) }
            if route.provenance == .hashed { raiseGuess(route, request) }
            coverage.count(route.provenance)
            note(
                "replica \(request.replica.index).\(request.loop): \(name(request.session)) to "
                    + "\(request.replica.membership.backends[route.backend].name) by \(name(route.binding)), "
                    + "\(route.provenance.rawValue)")
            check(route, of: request, basis)
            if let touch = route.touch { send(touch, of: request) }
            request.route = route
            request.pendingSince = nil
            request.operations = 0
            requests[request.id] = request
            forward(route, request)
        case .refuse(let refusal):
            check(refusal, of: request)
            requests[request.id] = nil
        }
    }

    private func askOnce(_ operation: StoreOperation, for request: SimulatedRequest) {
        let replica = request.replica
        let isFirst = replica.loops[request.loop].flights.board(request.session, request.id)
        if isFirst || !has(.singleFlight) {
            if !isFirst { fail("single flight", "\(name(request.session)): two questions at once") }
            send(operation, for: .request(request.id), loop: request.loop, at: replica)
        } else {
            coverage.count("waited for another's answer")
        }
    }

    private func send(_ touch: StoreOperation, of request: SimulatedRequest) {
        guard has(.touch) else {
            let server = request.replica.hearings[primary(of: request.session)].server
            return server.map { checkLifetime(request, on: $0) } ?? ()
        }
        coverage.count("touches")
        checkTouches(request)
        send(touch, for: .aside(loop: request.loop, number: 1), loop: request.loop, at: request.replica)
        guard !has(.touchReply),
            let binding = request.replica.cache.peek(
                request.session, now: request.replica.instant(now))?.binding
        else { return }
        // As if the touch had succeeded.
        aside(
            .record(binding, remainingMilliseconds: touch.lifetimeMilliseconds), to: touch,
            OperationStamp(sentAt: request.replica.instant(now)), loop: request.loop, number: 1, at: request.replica)
    }

    // MARK: Results

    func deliver(
        _ result: StoreResult, to purpose: StorePurpose, _ operation: StoreOperation, _ stamp: OperationStamp,
        _ origin: AnswerOrigin?, at replica: SimulatedReplica
    ) {
        let sent = stamp
        let stamp = garbled(sent, of: operation, at: replica)
        defer { shiftLifetime(operation.fingerprint, result, stamp: sent, garbled: stamp, at: replica) }
        let result = asIfNotAskedAgain(result, operation, purpose, at: replica)
        note("replica \(replica.index): \(describe(operation)) is answered \(describe(result))")
        if case .touch = operation { noteFailedTouch(operation.fingerprint, by: replica, result) }
        switch purpose {
        case .request(let id):
            guard let owner = requests[id] else { return }
            let waiters = replica.loops[owner.loop].flights.land(owner.session)
            answered(owner, result, to: operation, stamp, origin)
            for waiter in waiters.compactMap({ requests[$0] }) {
                answered(waiter, result.forWaiters(than: operation), to: operation, stamp, origin)
            }
        case .aside(let loop, let number):
            if operation.isTouch, !has(.touchReply) { return }
            aside(result, to: operation, stamp, loop: loop, number: number, at: replica)
        case .offer(let loop, let number):
            offered(result, to: operation, stamp, loop: loop, number: number, at: replica)
        case .standby(let asked): standbyAnswered(result, to: asked, stamp, origin, at: replica)
        case .drop:
            if !has(.tombstone) { return replica.cache.remove(operation.fingerprint) }
            aside(result, to: operation, stamp, loop: 0, number: 1, at: replica)
        }
    }

    private func aside(
        _ result: StoreResult, to operation: StoreOperation, _ stamp: OperationStamp, loop: Int, number: Int,
        at replica: SimulatedReplica
    ) {
        guard let next = followUp(to: result, of: operation, stamp, loop: loop, number: number, at: replica) else {
            return
        }
        send(next, for: .aside(loop: loop, number: number + 1), loop: loop, at: replica)
    }

    /// The operation that follows the result of one that no request waits for.
    private func followUp(
        to result: StoreResult, of operation: StoreOperation, _ stamp: OperationStamp, loop: Int, number: Int,
        at replica: SimulatedReplica
    ) -> StoreOperation? {
        let guess = guessOverriding(result, operation, at: replica)
        noteAcknowledged(result, operation, at: replica)
        if case .create = operation, result == .written,
            replica.cache.peek(operation.fingerprint, now: replica.instant(now))?.kind == .guess
        {
            checkGuessWritten(operation.fingerprint, by: replica)
        }
        let next = replica.loops[loop].affinity.storeAnsweredInBackground(
            result, to: operation, stamp: stamp, now: replica.instant(now))
        guard let next = guess ?? next else { return nil }
        if number >= 3, guess == nil {
            fail("I12", "a fourth question comes of it: \(describe(next))")
            return nil
        }
        checkMove(next, of: operation.fingerprint, lastRecord: recordIn(result), at: replica, isRequest: false)
        return next
    }

    private func answered(
        _ request: SimulatedRequest, _ result: StoreResult, to operation: StoreOperation, _ stamp: OperationStamp,
        _ origin: AnswerOrigin?
    ) {
        var request = request
        let replica = request.replica
        if let record = recordIn(result) {
            request.lastRecord = record
            replica.answered[request.session] = now
        }
        noteAcknowledged(result, operation, at: replica)
        let guess = guessOverriding(result, operation, at: replica)
        let before = replica.cache.peek(request.session, now: replica.instant(now))
        if !has(.confirmedWins), let before, before.binding.epoch == 1 { replica.cache.remove(request.session) }
        let step = replica.loops[request.loop].affinity.storeAnswered(
            &request.decision, result, to: operation, stamp: stamp, now: replica.instant(now))
        checkConfirmed(before, result, step, request)
        if let guess { return follow(.send(guess), request, .alone) }
        follow(step, request, basis(of: step, request, said: saidBinding(result, operation), origin))
    }

    private func saidBinding(_ result: StoreResult, _ operation: StoreOperation) -> Binding? {
        if case .written = result { return operation.intendedBinding }
        return recordIn(result)
    }

    private func basis(
        of step: Step, _ request: SimulatedRequest, said: Binding?, _ origin: AnswerOrigin?
    ) -> DecisionBasis {
        guard case .forward(let route) = step else { return .alone }
        switch route.provenance {
        case .stored, .claimed, .rebound:
            guard let origin, origin.refused == nil, route.binding == said else { return .alone }
            return .result(route.binding, origin)
        case .cached where said != nil:
            let entry = request.replica.cache.peek(request.session, now: request.replica.instant(now))
            guard let entry, entry.binding == route.binding,
                request.replica.isCurrent(entry, of: request.session, hint: request.decision.hint, now: now)
            else { return .alone }
            return .cache
        case .cached, .hinted, .hashed, .detoured, .placed, .balanced: return .alone
        }
    }

    func recordIn(_ result: StoreResult) -> Binding? {
        switch result {
        case .record(let record), .readOnly(let record): record.binding
        case .written, .absent, .foreign, .unavailable: nil
        }
    }

    private func noteAcknowledged(_ result: StoreResult, _ operation: StoreOperation, at replica: SimulatedReplica) {
        var written: Binding?
        if case .written = result, let binding = operation.intendedBinding, binding.epoch > 1 { written = binding }
        if case .drop = operation, case .record(let tombstone) = result { written = tombstone.binding }
        if case .written = result { replica.written[operation.fingerprint] = operation.intendedBinding }
        guard let binding = written else { return }
        replica.written[operation.fingerprint] = binding
        replica.acknowledged.append((operation.fingerprint, binding, now))
    }

    // MARK: Offers

    func offer(_ loop: Int, at replica: SimulatedReplica) {
        schedule(.offers(loop: loop), of: replica, after: 25_000)
        guard replica.loops[loop].affinity.hasOffers else { return }
        let instant = replica.instant(now)
        let isAvailable = (0..<scenario.primaryCount).map { replica.mayAsk(loop: loop, primary: $0) }
        let pace = replica.coherence.offerThrottle
        guard pace.take(1, now: instant) > 0 else { return }
        let operation = replica.loops[loop].affinity.nextOffer(now: instant) { isAvailable[primary(of: $0)] }
        guard let operation else { return pace.giveBack(1) }
        let kind = replica.cache.peek(operation.fingerprint, now: instant)?.kind
        if !has(.sweep), kind != .confirmed { return pace.giveBack(1) }
        coverage.count(kind == .confirmed || kind == nil ? "writes repeated" : "offers")
        send(operation, for: .offer(loop: loop, number: 1), loop: loop, at: replica)
    }

    private func offered(
        _ result: StoreResult, to operation: StoreOperation, _ stamp: OperationStamp, loop: Int, number: Int,
        at replica: SimulatedReplica
    ) {
        if let next = followUp(to: result, of: operation, stamp, loop: loop, number: number, at: replica) {
            return send(next, for: .offer(loop: loop, number: number + 1), loop: loop, at: replica)
        }
        let instant = replica.instant(now)
        replica.coherence.offerThrottle.ended(
            isSlow: result.isSlow(stamp, budgetMilliseconds: scenario.settings.budgetMilliseconds, now: instant),
            now: instant)
    }
}
