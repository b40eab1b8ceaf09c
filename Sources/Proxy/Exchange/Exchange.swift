import Affinity
import HTTPWire
import Logging
import NIOCore
import Store

/// One request and its response: sends the request to its backend and forwards the response.
///
/// A shell around values that decide: ``RequestRouting`` (which service), ``BackendChoice`` (which backend),
/// ``RequestSide`` and ``ResponseSide`` (what is forwarded, waits or ends). The client side and the backend side report
/// events; the exchange tells them what to do. Confined to one event loop. Each request has its own exchange, so that
/// no state can leak into the next request.
final class Exchange {
    /// The progress of the exchange, with the phases that may follow.
    enum Phase {
        /// Nothing has been sent; the store may have been queried. → connecting, sent, over
        case deciding
        /// A connection to the backend is being opened. → deciding (it failed), connecting, sent, over
        case connecting
        /// The head has been sent. → deciding, connecting (sent again), switched, over
        case sent
        /// The connections have become a tunnel. → over
        case switched
        /// Nothing more is read or written for this exchange.
        case over
    }

    let worker: Worker
    var phase = Phase.deciding
    var downstream: Downstream?
    var upstream: Upstream?
    var steps = RequestRouting()
    var choice = BackendChoice()
    var capacity = CapacityHold()
    var request: RequestSide
    private var response = ResponseSide()
    /// The backend's, as they were when the request was sent to it.
    var timeouts = ExchangeTimeouts()
    private var upstreamHead = UpstreamHead()
    /// Kept only if the head is needed again in a later turn of the loop.
    var bufferedHead: BufferedHead?
    /// The password check that the exchange waits for.
    var pendingPassword: (credentials: BasicCredentials, gate: BasicAuthGate)?
    /// The connection has carried other requests: its end may have crossed this one, and says nothing of the backend.
    private(set) var isOnKeptConnection = false
    /// The response's status may count against the backend, or send the request elsewhere: as far as is cheap to tell.
    private var heedsStatus = false
    /// The connection that the exchange waits for.
    private var connecting: ConnectWait?
    /// Nil if exchanges are not logged.
    var recording: ExchangeLogEntryBuilder?

    /// nginx's code for a client that disconnected before the response; only in logs and metrics.
    static let clientClosedRequest = 499

    init(_ head: RequestHead, for downstream: Downstream, worker: Worker) {
        self.worker = worker
        self.downstream = downstream
        request = RequestSide(head)
    }

    var loop: LoopContext { worker.loop }

    // MARK: Routing

    /// Finds the service, the session and the backend of the request.
    func start(_ view: RequestView) {
        loop.counters.requestsInFlight += 1
        if loop.exchangeLog != nil { recording = ExchangeLogEntryBuilder(view) }
        if view.head.wantsUpgrade { request.offers(UpgradeProtocols(of: view.fields, in: view.bytes)) }
        if case .http2 = downstream, !request.offer.isEmpty {
            request.connect = ExtendedConnect(view, offering: request.offer)
        }
        if view.fields.first(.te) != nil { request.acceptsTrailers = view.acceptsTrailers }
        advance(view)
    }

    func advance(_ view: RequestView) {
        switch steps.next(view, in: worker.table) {
        case .answer(let answer): self.answer(answer)
        case .checkPassword(let credentials, let gate): check(credentials, gate, view)
        case .service(let service):
            choice.begin(service, from: view.client)
            if service.hasChildren { bufferedHead = BufferedHead(view) }
            readSession(service, view)
        }
    }

    func perform(_ step: BackendChoice.Step) {
        switch step {
        case .readSession(let service): readSession(service)
        case .connect(let pool): connect(pool)
        case .send(let operation):
            phase = .deciding
            worker.send(operation, for: self)
        case .refuse(let refusal): answer(Self.answer(to: refusal, metLimit: choice.metLimit))
        case .impossible: failInvariant()
        }
    }

    private static func answer(to refusal: Refusal, metLimit: Bool) -> LocalResponse {
        if metLimit { return .backendsAtLimit }
        return switch refusal {
        case .noBackend: LocalResponse(.noBackend)
        case .backendUnavailable: LocalResponse(.sessionBackendUnavailable)
        }
    }

    private func readSession(_ service: ServiceRuntime, _ view: RequestView) {
        if let timeout = service.description.limits.exchange.request { downstream?.bound(by: timeout) }
        let edits = steps.middlewares?.edits
        let presented = service.presentedSession(view, edits: edits)
        let step = choice.decide(
            presented, otherKeys: service.otherKeys(view, edits: edits, besides: presented),
            proposal: service.proposedBackend(view))
        if !service.hasChildren { renderHead(service, view) }
        if let retry = steps.middlewares?.retry {
            retry.begin(now: loop.now())
            service.retryBudget.requestBegan(now: loop.now())
        }
        perform(step)
    }

    /// For a service below a weighted one: the head is scanned again, because the table may hold another head by now.
    private func readSession(_ service: ServiceRuntime) {
        guard let bufferedHead, bufferedHead.withView(loop, { readSession(service, $0) }) else {
            return failInvariant()
        }
    }

    private func renderHead(_ service: ServiceRuntime, _ view: RequestView) {
        giveBackHead()
        upstreamHead = UpstreamHead(
            view, passHost: service.description.passHostHeader, path: steps.middlewares?.path,
            edits: steps.middlewares?.edits, offering: request.offer, into: loop.spareBuffers.take())
    }

    // MARK: The connection

    func connect(_ pool: BackendPool) {
        guard pool.limits.pool.maxRequests == nil || isAdmitted(to: pool) else { return }
        if let place = pool.place(mayBecomeTunnel: !request.offer.isEmpty) {
            if case .deciding = phase {} else { recording?.triedAgain() }
            isOnKeptConnection = true
            return send(over: place, pool)
        }
        connectAnew(pool)
    }

    /// Whether the request has a place at a backend with a limit. Otherwise it waits, or goes elsewhere.
    private func isAdmitted(to pool: BackendPool) -> Bool {
        switch capacity.enter(pool, for: self) {
        case .admitted: return true
        case .full: perform(choice.backendIsFull())
        case .waits:
            phase = .deciding
            downstream?.setDeadline(.now() + pool.limits.pool.queueTimeout)
        }
        return false
    }

    /// Opens a new connection instead of using a pooled one: after one pooled connection was lost, the others are
    /// suspect too.
    func connectAnew(_ pool: BackendPool) {
        if case .deciding = phase {} else { recording?.triedAgain() }
        phase = .connecting
        isOnKeptConnection = false
        connecting = pool.connect(mayBecomeTunnel: !request.offer.isEmpty) { [self] result in
            connecting = nil
            switch result {
            case .success(let place) where place.isUsable: send(over: place, pool)
            case .success: connectFailed(pool, Cause(.connectionLost))
            case .failure(let failure): connectFailed(pool, failure.cause)
            }
        }
    }

    /// Tries the same backend once more; after that the backend counts as failed, and the decision names another one.
    private func connectFailed(_ pool: BackendPool, _ cause: Cause) {
        guard let service = choice.service else { return failInvariant() }
        attemptFailed(cause)
        switch request.connectFailed(isUp: service.isUp(pool)) {
        case .connectAgain:
            pool.suspect()
            connectAnew(pool)
        case .backendFailed:
            pool.markUnreachable()
            capacity.leave()
            perform(choice.backendFailed())
        }
    }

    private func send(over place: Upstream, _ pool: BackendPool) {
        upstream = place
        phase = .sent
        timeouts = pool.limits.exchange
        heedsStatus = pool.reportsFailures || choice.hasLevels || steps.middlewares != nil
        recording?.requestSent()
        if case .http2 = place, request.connect?.isWebSocket == false { return upstreamFailed(.takesNoTunnel) }
        let head = upstreamHead.bytes(authority: pool.backend.authority)
        place.send(
            head, method: request.method, framing: request.framing, offering: request.offer,
            acceptsTrailers: request.acceptsTrailers, for: self)
        if request.isComplete { return expectBackend() }
        downstream?.expectBody()
        downstream?.wantBody()
    }

    /// The backend must take more of the request, if it has stopped, and send what comes next of the response, if the
    /// client takes it.
    private func expectBackend() {
        guard let upstream else { return }
        let next = loop.deadlines.deadline(in: nextOfResponse)
        upstream.setDeadline(
            upstream.isWritable ? next : min(next, loop.deadlines.deadline(in: loop.limits.stallTimeout)))
    }

    /// How long the backend may take for the next part of the response; nil: without limit.
    private var nextOfResponse: TimeAmount? {
        if response.isPassing { return downstream?.isWritable == true ? timeouts.responseGap : nil }
        return request.isComplete && !response.isHeldBack ? timeouts.responseHead : nil
    }

    // MARK: Ends

    /// An attempt at the chosen backend has failed; another one may follow.
    func attemptFailed(_ cause: Cause) { attemptFailed(cause, at: choice.pool, of: choice.service) }

    func attemptFailed(_ cause: Cause, at pool: BackendPool?, of service: ServiceRuntime?) {
        guard let service, let pool else { return }
        recording?.attemptFailed(cause)
        pool.failed(cause, service: service.description.name)
    }

    /// Responds without a backend.
    func answer(_ answer: LocalResponse, closing: Bool = false) {
        guard let downstream else { return }
        response.answered(status: answer.status)
        if choice.service == nil { loop.counters.refused[answer.cause.reason, default: 0] &+= 1 }
        let size = downstream.send(
            answer, adding: steps.middlewares?.responseEdits, bodiless: request.method == .head, closing: closing)
        recording?.sent(responseBody: size)
        finish(answer.cause)?.end(trailers: [])
    }

    /// The response cannot be completed; the client sees it truncated.
    func cut(_ cause: Cause) { finish(cause)?.cut() }

    /// Releases everything, once. Returns the client side, which still has to be notified.
    ///
    /// - Parameter cause: nil if the backend's response was sent completely.
    @discardableResult
    func finish(_ cause: Cause? = nil) -> Downstream? {
        if case .over = phase { return nil }
        let wasSwitched = if case .switched = phase { true } else { false }
        if !wasSwitched { loop.counters.requestsInFlight -= 1 }
        phase = .over
        let client = downstream.take()
        if let cause, !wasSwitched { choice.service?.counting.counters.failed(cause.reason) }
        record(cause)
        connecting.take()?.leave()
        upstream.take()?.end()
        capacity.leave()
        choice.end()
        giveBackHead()
        return client
    }

    func giveBackHead() {
        if !upstreamHead.isEmpty { loop.spareBuffers.giveBack(upstreamHead.takeBytes()) }
    }

    private func record(_ cause: Cause?) {
        choice.service?.counting.counters.count(choice.route?.provenance, status: response.status)
        if let recording {
            loop.exchangeLog?.append(recording.finished(status: response.status, steps.router, choice, cause))
        }
    }

    /// A state that cannot occur: only this exchange fails.
    func failInvariant() {
        assertionFailure("impossible state of an exchange")
        loop.counters.impossible &+= 1
        loop.logger.error("An exchange reached a state that cannot occur; it was cut.")
        cut(Cause(.internalError))
    }
}

// MARK: - The store

extension Exchange: SessionWaiter {
    /// Passes the result on to all requests that waited for the same session.
    func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        let others = worker.landed(operation)
        if case .deciding = phase {
            proceed(by: answer, to: operation, stamp: stamp)
        } else {
            choice.service?.affinity.storeAnsweredEndedRequest(answer, to: operation, now: loop.now())
        }
        guard !others.isEmpty else { return }
        let found = answer.forWaiters(than: operation)
        for other in others { other.proceed(by: found, to: operation, stamp: stamp) }
    }

    func proceed(by answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        guard case .deciding = phase, choice.service != nil else { return }
        perform(choice.storeAnswered(answer, to: operation, stamp: stamp))
    }
}

// MARK: - Limits of backends

extension Exchange: CapacityWaiter {
    func capacityGranted(at pool: BackendPool) {
        capacity.granted(at: pool)
        downstream?.setDeadline(.distantFuture)
        connect(pool)
    }
}

// MARK: - Events from the client side

extension Exchange {
    /// The client connection has consumed the head and can deliver the body.
    func headWasTaken() {
        if case .sent = phase, !request.isComplete { downstream?.wantBody() }
    }

    /// Whether a part of the request's body can be forwarded.
    var takesRequestBody: Bool {
        if case .sent = phase { !request.isComplete && upstream != nil } else { false }
    }

    /// Whether more of the body can be used at once, so that the client may continue to send.
    var wantsRequestBody: Bool { takesRequestBody && upstream?.isWritable == true }

    /// A part of the request's body arrived.
    func receivedRequest(_ part: consuming BodyPart) {
        guard takesRequestBody, let upstream else { return }
        part.dropTrailers { choice.isSessionKey($0) }
        recording?.received(requestBody: part.content.readableBytes)
        upstream.send(part)
        upstream.flush()
        switch request.sent(part.end, backendIsWritable: upstream.isWritable) {
        case .proceed:
            if part.content.readableBytes > 0 { downstream?.expectBody() }
        case .pause:
            downstream?.pauseBody()
            downstream?.setDeadline(.distantFuture)
            expectBackend()
        case .complete:
            downstream?.setDeadline(.distantFuture)
            expectBackend()
        case .refuse(let refusal):
            let cause = Cause(.requestBodyRefused, "\(refusal.reason)")
            if response.isPassing { return cut(cause) }
            answer(LocalResponse(cause, status: Cause.status(of: refusal)), closing: true)
        }
    }

    /// Before the response passes, the client's deadline is that of its request, or of the queue.
    func clientWritabilityChanged() {
        guard case .sent = phase, response.isPassing, let downstream, downstream.isWritable, let upstream else {
            return
        }
        if wantsRequestBody { downstream.expectBody() } else { downstream.setDeadline(.distantFuture) }
        upstream.resumeReading()
        expectBackend()
    }

    func clientClosed() { leaveUnanswered(Cause(.clientClosed)) }

    /// The replica stops, and the time for exchanges under way is over.
    func stopped() { leaveUnanswered(Cause(.shutdown)) }

    private func leaveUnanswered(_ cause: Cause) {
        response.answered(status: Self.clientClosedRequest)
        finish(cause)
    }

    func clientTimedOut() {
        guard !capacity.isWaiting else {
            capacity.leave()
            // What bounds the whole exchange counts again.
            downstream?.setDeadline(.distantFuture)
            return perform(choice.backendIsFull())
        }
        act(on: response.clientTimedOut(requestIsComplete: request.isComplete))
    }

    /// The time for the whole exchange is over.
    func responseTimedOut() { act(on: response.timedOut(requestIsComplete: request.isComplete)) }
}

// MARK: - Events from the backend side

extension Exchange: UpstreamReceiver {
    func receivedInterim(_ view: ResponseView) { downstream?.sendInterim(view) }

    func receivedHead(_ view: ResponseView) -> Bool {
        if view.head.isSwitchingProtocols, upstream?.isUsable != true {
            // It was held back, and the backend has closed meanwhile. It had accepted the request.
            upstreamFailed(.lost(afterInterim: true))
            return true
        }
        if let refusal = request.connect?.refusal(of: view) {
            // Says nothing of the backend's health: a client that asks for an ordinary page so gets here.
            act(on: .answer(refusal))
            return true
        }
        if heedsStatus {
            heedsStatus = false
            if isAnsweredElsewhere(view.head.status) { return true }
        }
        if choice.learns, response.looksForKeys() {
            bindKeys(view)
            guard !response.isHeldBack else { return false }
        }
        response.pass(status: view.head.status)
        recording?.responseHeadCame()
        bufferedHead = nil
        let additions = ResponseAdditions(setCookie: choice.setCookies(), edits: steps.middlewares?.responseEdits)
        downstream?.sendHead(view, adding: additions)
        return true
    }

    /// Binds the session keys that the response issues before the client receives them, so that its next request finds
    /// its backend on any replica.
    private func bindKeys(_ view: ResponseView) {
        let keys = choice.issuedKeys(view)
        response.issues(keys: keys.count)
        for key in keys { IssuedKeyBinding(key) { [self] in keyWasBound() }.begin() }
        if response.isHeldBack { upstream?.setDeadline(.distantFuture) }
    }

    private func keyWasBound() {
        if response.keyWasBound(), case .sent = phase { upstream?.passHead() }
    }

    func received(_ part: consuming BodyPart) {
        guard let downstream, let upstream else { return }
        part.dropTrailers { choice.isSessionKey($0) }
        recording?.sent(responseBody: part.content.readableBytes)
        downstream.send(part.content)
        if part.end == nil { downstream.flush() }
        switch response.sent(part.end, clientIsWritable: downstream.isWritable) {
        case .proceed:
            expectBackend()
        case .pause:
            upstream.pauseReading()
            expectBackend()
            downstream.setDeadline(.now() + loop.limits.stallTimeout)
        case .complete(let trailers):
            finish()?.end(trailers: trailers)
        case .refuse(let refusal):
            downstream.flush()
            act(on: .cut(Cause(.responseBodyRefused, "\(refusal.reason)")))
        }
    }

    func upstreamFailed(_ failure: UpstreamFailure) {
        let next = response.failed(failure, &request, isRetried: steps.middlewares?.retry != nil)
        let saysNothing =
            next == .sendUnprocessed || failure == .takesNoTunnel
            || (isOnKeptConnection && failure == .lost(afterInterim: false))
        if !saysNothing { choice.pool?.requestFailed(failure.reason) }
        act(on: next)
    }

    func upstreamTimedOut() {
        choice.pool?.requestFailed(.timedOut)
        act(on: response.backendTimedOut(requestIsComplete: request.isComplete))
    }

    private func act(on failure: ResponseSide.AfterFailure) {
        switch failure {
        case .sendAgain(let cause): sendAgain(cause)
        case .sendUnprocessed: sendUnprocessed(UpstreamFailure.notProcessed.cause)
        case .answer(let cause):
            guard cause.reason.isBackendFault else { return answer(LocalResponse(cause)) }
            if !isAnsweredElsewhere(cause) { answerFailure(cause) }
        case .cut(let cause):
            if cause.reason.isBackendFault { attemptFailed(cause) }
            cut(cause)
        }
    }

    func upstreamWritabilityChanged() {
        guard case .sent = phase, let upstream, upstream.isWritable else { return }
        expectBackend()
        guard takesRequestBody else { return }
        downstream?.expectBody()
        downstream?.wantBody()
    }
}

@available(*, unavailable)
extension Exchange: Sendable {}
