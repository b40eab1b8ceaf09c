import Affinity

/// A request on its way.
struct SimulatedRequest {
    let id: Int
    let client: Int
    let session: Fingerprint
    let replica: SimulatedReplica
    let life: Int
    let loop: Int
    /// The hint that came with it, authentic and valid.
    let hint: Hint?
    let isForged: Bool
    var decision: Decision
    /// Since when the store has been asked, and how often.
    var askedSince: Moment?
    var questions = 0
    var lastRecord: Binding?
    var route: Route?
}

/// What a route rests on.
enum DecisionBasis {
    /// An entry that the channel vouches for.
    case cache
    /// What the store said.
    case answer(Binding, AnswerOrigin)
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
            fingerprint: session, hint: overlook(hint, entry), isNew: forged || clients[client].isNew)
        let request = SimulatedRequest(
            id: nextSerial(), client: client, session: session, replica: replica, life: replica.life, loop: loop,
            hint: hint, isForged: forged, decision: decision)
        decide(request) { affinity, decision, mayAsk in
            affinity.begin(&decision, storeMayBeAsked: mayAsk, now: instant)
        }
    }

    /// A cookie whose hint is too old is none: the session begins anew.
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

    /// A step that does not follow an answer of the store.
    private func decide(
        _ request: SimulatedRequest, _ body: (inout SessionAffinity, inout Decision, Bool) -> Step
    ) {
        var request = request
        let replica = request.replica
        let mayAsk = replica.mayAsk(loop: request.loop, about: request.session)
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
        case .ask(let question):
            request.questions += 1
            if request.askedSince == nil { request.askedSince = now }
            check(question, of: request)
            requests[request.id] = request
            askOnce(question, for: request)
        case .forward(let route):
            if let question = unlicensedMove(route, request) { return follow(.ask(question), request, .alone) }
            if route.provenance == .hashed { raiseGuess(route, request) }
            coverage.count(route.provenance)
            tell(
                "replica \(request.replica.index).\(request.loop): \(name(request.session)) to "
                    + "\(request.replica.membership.backends[route.backend].name) by \(name(route.binding)), "
                    + "\(route.provenance.rawValue)")
            check(route, of: request, basis)
            if let touch = route.touch { send(touch, of: request) }
            request.route = route
            request.askedSince = nil
            request.questions = 0
            requests[request.id] = request
            forward(route, request)
        case .refuse(let refusal):
            check(refusal, of: request)
            requests[request.id] = nil
        }
    }

    private func askOnce(_ question: StoreQuestion, for request: SimulatedRequest) {
        let replica = request.replica
        let isFirst = replica.loops[request.loop].flights.board(request.session, request.id)
        if isFirst || !has(.singleFlight) {
            if !isFirst { fail("single flight", "\(name(request.session)): two questions at once") }
            ask(question, for: .request(request.id), loop: request.loop, at: replica)
        } else {
            coverage.count("waited for another's answer")
        }
    }

    private func send(_ touch: StoreQuestion, of request: SimulatedRequest) {
        guard has(.touch) else {
            let server = request.replica.hearings[primary(of: request.session)].server
            return server.map { checkLifetime(request, on: $0) } ?? ()
        }
        coverage.count("touches")
        checkTouches(request)
        ask(touch, for: .aside(loop: request.loop, number: 1), loop: request.loop, at: request.replica)
        guard !has(.touchReply),
            let binding = request.replica.cache.peek(
                request.session, now: request.replica.instant(now))?.binding
        else { return }
        // As if it had been answered well.
        aside(
            .record(binding, remaining: touch.lifetime), to: touch,
            Asking(at: request.replica.instant(now)), loop: request.loop, number: 1, at: request.replica)
    }

    // MARK: Answers

    func deliver(
        _ answer: StoreAnswer, to purpose: StorePurpose, _ question: StoreQuestion, _ asking: Asking,
        _ origin: AnswerOrigin?, at replica: SimulatedReplica
    ) {
        let asked = asking
        let asking = garbled(asked, of: question, at: replica)
        defer { shiftLifetime(question.fingerprint, answer, asked: asked, told: asking, at: replica) }
        tell("replica \(replica.index): \(describe(question)) is answered \(describe(answer))")
        switch purpose {
        case .request(let id):
            guard let asker = requests[id] else { return }
            let waiters = replica.loops[asker.loop].flights.land(asker.session)
            answered(asker, answer, to: question, asking, origin)
            for waiter in waiters.compactMap({ requests[$0] }) {
                answered(waiter, answer.forOthers(than: question), to: question, asking, origin)
            }
        case .aside(let loop, let number):
            if question.isTouch, !has(.touchReply) { return }
            aside(answer, to: question, asking, loop: loop, number: number, at: replica)
        case .drop:
            if !has(.tombstone) { return replica.cache.remove(question.fingerprint) }
            aside(answer, to: question, asking, loop: 0, number: 1, at: replica)
        }
    }

    private func aside(
        _ answer: StoreAnswer, to question: StoreQuestion, _ asking: Asking, loop: Int, number: Int,
        at replica: SimulatedReplica
    ) {
        let guess = guessOverriding(answer, question, at: replica)
        noteAcknowledged(answer, question, at: replica)
        let next = replica.loops[loop].affinity.answeredAside(
            answer, to: question, asked: asking, now: replica.instant(now))
        guard let next = guess ?? next else { return }
        if number >= 3, guess == nil { return fail("I12", "a fourth question comes of it: \(describe(next))") }
        checkMove(next, of: question.fingerprint, lastRecord: recordIn(answer), at: replica, isRequest: false)
        ask(next, for: .aside(loop: loop, number: number + 1), loop: loop, at: replica)
    }

    private func answered(
        _ request: SimulatedRequest, _ answer: StoreAnswer, to question: StoreQuestion, _ asking: Asking,
        _ origin: AnswerOrigin?
    ) {
        var request = request
        let replica = request.replica
        if let record = recordIn(answer) { request.lastRecord = record }
        noteAcknowledged(answer, question, at: replica)
        let guess = guessOverriding(answer, question, at: replica)
        let before = replica.cache.peek(request.session, now: replica.instant(now))
        if !has(.confirmedStands), let before, before.binding.epoch == 1 { replica.cache.remove(request.session) }
        let step = replica.loops[request.loop].affinity.storeAnswered(
            &request.decision, answer, to: question, asked: asking, now: replica.instant(now))
        checkConfirmed(before, answer, step, request)
        if let guess { return follow(.ask(guess), request, .alone) }
        follow(step, request, basis(of: step, request, said: saidBinding(answer, question), origin))
    }

    private func saidBinding(_ answer: StoreAnswer, _ question: StoreQuestion) -> Binding? {
        if case .written = answer { return question.proposal }
        return recordIn(answer)
    }

    private func basis(
        of step: Step, _ request: SimulatedRequest, said: Binding?, _ origin: AnswerOrigin?
    ) -> DecisionBasis {
        guard case .forward(let route) = step else { return .alone }
        switch route.provenance {
        case .stored, .claimed, .rebound:
            guard let origin, origin.refused == nil, route.binding == said else { return .alone }
            return .answer(route.binding, origin)
        case .cached where said != nil:
            let entry = request.replica.cache.peek(request.session, now: request.replica.instant(now))
            guard let entry, entry.binding == route.binding,
                request.replica.isCurrent(entry, of: request.session, hint: request.decision.hint, now: now)
            else { return .alone }
            return .cache
        case .cached, .hinted, .hashed, .detoured, .placed, .balanced: return .alone
        }
    }

    func recordIn(_ answer: StoreAnswer) -> Binding? {
        switch answer {
        case .record(let record), .readOnly(let record): record.binding
        case .written, .absent, .foreign, .unavailable: nil
        }
    }

    private func noteAcknowledged(_ answer: StoreAnswer, _ question: StoreQuestion, at replica: SimulatedReplica) {
        var written: Binding?
        if case .written = answer, let binding = question.proposal, binding.epoch > 1 { written = binding }
        if case .drop = question, case .record(let tombstone) = answer { written = tombstone.binding }
        guard let binding = written else { return }
        replica.acknowledged.append((question.fingerprint, binding, now))
    }

    // MARK: Offers

    func offer(_ loop: Int, at replica: SimulatedReplica) {
        schedule(.offers(loop: loop), of: replica, after: 25_000)
        guard replica.loops[loop].affinity.hasOffers else { return }
        let instant = replica.instant(now)
        let isAvailable = (0..<scenario.primaryCount).map { replica.mayAsk(loop: loop, primary: $0) }
        let question = replica.loops[loop].affinity.nextOffer(now: instant) { isAvailable[primary(of: $0)] }
        guard let question else { return }
        let kind = replica.cache.peek(question.fingerprint, now: instant)?.kind
        if !has(.sweep), kind != .confirmed { return }
        coverage.count(kind == .confirmed || kind == nil ? "writes repeated" : "offers")
        ask(question, for: .aside(loop: loop, number: 1), loop: loop, at: replica)
    }
}
