import Affinity
import HTTPWire
import NIOCore
import Store

/// One request and its response: decides where it goes, sends it there, brings back what comes.
///
/// Confined to one event loop. The client's handler and the backend's handler tell it what happened; it tells them what
/// to do. Each request has its own: nothing of one can be left over in the next.
final class Exchange: StoreWaiter {
    /// How far the exchange is. What may follow is said with each.
    enum Phase {
        /// Nothing has been sent; the store may have been asked. → connecting, requesting, over
        case deciding
        /// A connection to the backend is being made. → deciding (it failed), connecting, requesting, over
        case connecting
        /// The head has been sent; the body may be on its way. → learning, responding, connecting (sent again), over
        case requesting
        /// The response head has come; it is held until the store knows of the session key in it. → responding, over
        case learning
        /// The response head has been passed on. → over
        case responding
        /// Nothing more will be read or written for it.
        case over
    }

    let worker: Worker
    var phase = Phase.deciding
    var client: ClientHandler?
    var service: ServiceRuntime?
    /// The backend that the route leads to. It stays, while the configuration may give it another place, or none.
    var pool: BackendPool? {
        didSet { service?.requestWent(from: oldValue, to: pool) }
    }
    var backend: BackendHandler?

    // The request.
    let method: Method
    let version: HTTPVersion
    var upstreamHead = UpstreamHead()
    var requestBody: BodyScanner
    var requestIsComplete: Bool
    var clientPersists: Bool
    private(set) var attempts: Attempts

    // What its router's middlewares do, where it has any.
    var passage: MiddlewarePassage?
    /// Kept only where the head is looked at again in a later turn of the loop.
    var heldHead: HeldHead?

    // Its session.
    var decision = Decision(fingerprint: Fingerprint(high: 0, low: 0), hint: nil, isNew: false)
    var session = SessionState.none
    var route: Route?
    /// Of the service that is deciding now: its backends that could not be reached, where the request has no session.
    var balanceFailures = 0
    /// The weighted services that led to this one, the outermost first.
    var levels: [Level] = []
    var refusedByChildren: [BackendHash] = []

    // The response.
    var responseBody = BodyScanner(.none, limits: MessageLimits())
    /// Set while a response head has come in part.
    var responseHeadEnd: HeadEnd?
    var responseFraming = BodyFraming.none
    var responsePersists = false
    var dropsChunks = false
    var interimCount = 0
    /// Session keys that the response issues and that are not bound yet.
    var lessons = 0
    var hasLearnt = false
    var heldResponse: ByteBuffer?
    var status = 0

    // What the exchange log is told, where there is one.
    var record: ExchangeRecord?
    var began = NIODeadline.distantPast
    var sent = NIODeadline.distantPast

    /// Counts the connections asked for, so that a late one is recognised.
    private(set) var attempt: UInt64 = 0

    /// What the session's cookie has to do with this exchange.
    enum SessionState {
        /// No session, or one whose key is not our cookie.
        case none
        case cookie(SessionCookie.SessionID, presented: Hint?)
    }

    init(_ head: RequestHead, for client: ClientHandler, worker: Worker) {
        self.worker = worker
        self.client = client
        method = head.method
        version = head.version
        clientPersists = head.isPersistent
        requestBody = BodyScanner(head.framing, limits: worker.limits.message)
        requestIsComplete = !head.framing.hasBody
        attempts = Attempts(mayBeRepeated: head.method.isSafe && !head.framing.hasBody)
    }

    // MARK: The decision

    /// Finds the service, the session and the backend of the request. Its fields are in the worker's table.
    func start(_ head: RequestHead, in bytes: UnsafeRawBufferPointer) {
        guard let client else { return impossible() }
        beginRecord(head, bytes, client)
        guard !head.wantsUpgrade else {
            clientPersists = false
            return answer(.notImplemented)
        }
        guard !DotSegments.stand(in: UnsafeRawBufferPointer(rebasing: bytes[head.path])) else {
            return answer(.badRequest)
        }
        guard let router = worker.route(head, in: bytes, of: client) else {
            return answer(.notFound)
        }
        if record != nil { record?.router = worker.nameOfRouter(router) }
        guard let service = worker.service(of: router) else { return answer(.noService) }
        guard let chain = worker.middlewares(of: router) else { return enter(service, head, bytes) }
        pass(MiddlewarePassage(chain, to: service), head, bytes)
    }

    /// The request has come to its service.
    func enter(_ service: ServiceRuntime, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer) {
        guard let client else { return impossible() }
        self.service = service
        if service.isWeighted { heldHead = HeldHead(head, in: bytes) }
        decide(head, bytes, client, service)
    }

    func decide(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ client: ClientHandler, _ service: ServiceRuntime
    ) {
        guard let identity = client.identity else { return impossible() }
        let presented = service.presentedSession(
            head, in: bytes, fields: worker.requestFields, client: identity, edits: passage?.request)
        if !service.isWeighted {
            worker.spareBuffers.giveBack(upstreamHead.takeBytes())
            upstreamHead = UpstreamHead(
                head, in: bytes, fields: worker.requestFields, client: identity,
                passHost: service.description.passHostHeader, passage: passage,
                into: worker.spareBuffers.take())
        }
        switch presented {
        case .none:
            balance(service)
        case .key(let fingerprint, _):
            session = .none
            begin(Decision(fingerprint: fingerprint, hint: nil, isNew: false), service)
        case .cookie(let fingerprint, let opened):
            let hint = service.believable(opened.hint, now: worker.wallClock())
            session = .cookie(opened.session, presented: hint)
            begin(Decision(fingerprint: fingerprint, hint: hint, isNew: false), service)
        case .newSession(let proposal):
            let id = worker.randomSessionID()
            session = .cookie(id, presented: nil)
            begin(
                Decision(fingerprint: service.fingerprint(of: id), hint: nil, isNew: true, proposal: proposal), service)
        }
    }

    private func begin(_ decision: Decision, _ service: ServiceRuntime) {
        self.decision = decision
        perform(
            service.affinity.begin(
                &self.decision, storeMayBeAsked: worker.store.isAvailable(for: decision.fingerprint),
                now: worker.now()), service)
    }

    func balance(_ service: ServiceRuntime) {
        session = .none
        guard let route = service.balance(client?.identity) else { return refused(.noBackend) }
        self.route = route
        go(service, route.backend)
    }

    func perform(_ step: Step, _ service: ServiceRuntime) {
        switch step {
        case .forward(let route):
            self.route = route
            if let touch = route.touch { worker.store.ask(touch, for: service) }
            go(service, route.backend)
        case .ask(let question):
            phase = .deciding
            worker.ask(question, for: self)
        case .refuse(let refusal):
            refused(refusal)
        }
    }

    /// The answer is for all who asked of this session meanwhile.
    func storeAnswered(_ answer: StoreAnswer, to question: StoreQuestion, asked: Asking) {
        let others = worker.landed(question)
        proceed(by: answer, to: question, asked: asked)
        guard !others.isEmpty else { return }
        let found = answer.forOthers(than: question)
        for other in others { other.proceed(by: found, to: question, asked: asked) }
    }

    private func proceed(by answer: StoreAnswer, to question: StoreQuestion, asked: Asking) {
        guard case .deciding = phase, let service else { return }
        perform(
            service.affinity.storeAnswered(&decision, answer, to: question, asked: asked, now: worker.now()), service)
    }

    // MARK: The connection

    func connect(_ pool: BackendPool) {
        self.pool = pool
        if let idle = pool.takeIdle() { return send(over: idle, pool) }
        connectAnew(pool)
    }

    /// Not over a pooled connection: one that was lost says little good about the others.
    private func connectAnew(_ pool: BackendPool) {
        if case .deciding = phase {} else { record?.retries += 1 }
        phase = .connecting
        attempt &+= 1
        pool.connect(for: self)
    }

    func connected(_ connection: BackendHandler, attempt: UInt64) {
        guard case .connecting = phase, attempt == self.attempt, let pool else { return connection.park() }
        guard connection.isUsable else { return connectFailed(attempt: attempt) }
        send(over: connection, pool)
    }

    /// Once more to the same backend; then it counts as failed, and the decision says where to go instead.
    func connectFailed(attempt: UInt64) {
        guard case .connecting = phase, attempt == self.attempt, let service, let route, let pool else { return }
        switch attempts.connectFailed(isUp: service.isUp(pool)) {
        case .connectAgain:
            worker.backendSuspected(service, pool)
            connectAnew(pool)
        case .backendFailed:
            worker.backendFailed(service, pool)
            attempts.moved()
            if route.provenance == .balanced { balanceAgain(service) } else { decideAgain(service) }
        }
    }

    /// As many times as there are backends: one that comes and goes would keep a request going round.
    private func balanceAgain(_ service: ServiceRuntime) {
        balanceFailures += 1
        guard balanceFailures <= service.pools.count else { return refused(.noBackend) }
        balance(service)
    }

    /// What was decided for cannot be reached.
    func decideAgain(_ service: ServiceRuntime) {
        let session = decision.fingerprint
        perform(
            service.affinity.backendFailed(
                &decision, storeMayBeAsked: worker.store.isAvailable(for: session), now: worker.now()), service)
    }

    /// The connection was lost before a whole response head had come: a request without effects goes out once more.
    /// Returns whether.
    func sendAgain() -> Bool {
        guard let pool, attempts.connectionLost() == .sendAgain else { return false }
        worker.counters.repeated &+= 1
        connectAnew(pool)
        return true
    }

    private func send(over connection: BackendHandler, _ pool: BackendPool) {
        backend = connection
        phase = .requesting
        responseHeadEnd = nil
        if record != nil { sent = .now() }
        connection.begin(self)
        connection.write(upstreamHead.bytes(authority: pool.backend.authority))
        guard requestIsComplete else { return sendBody(connection) }
        connection.flush()
        requestWasSent()
    }

    // MARK: Ends

    func answer(_ error: ErrorAnswer) { answer(OwnAnswer(error)) }

    /// Answers without a backend. Where a body is still to come the connection closes: nobody will read it.
    func answer(_ answer: OwnAnswer) {
        guard let client else { return }
        status = answer.status
        if service == nil { worker.counters.refused[answer.label, default: 0] &+= 1 }
        let persists = clientPersists && requestIsComplete
        var bytes = worker.spareBuffers.take()
        let bodySize = answer.write(
            into: &bytes, edits: passage?.response, closing: !persists, bodiless: method == .head)
        record?.responseBytes = bodySize
        client.write(bytes)
        client.flush()
        worker.spareBuffers.giveBack(bytes)
        end(clientPersists: persists)
    }

    /// The exchange is over in good order, as far as the client is concerned.
    func end(clientPersists: Bool) {
        finish(backendIsReusable: false)?.exchangeEnded(persists: clientPersists)
    }

    /// The response cannot be finished: the client sees it cut.
    func cut() {
        finish(backendIsReusable: false)?.cut()
    }

    /// Lets go of everything, once. Returns the client that is still to be told.
    func finish(backendIsReusable: Bool) -> ClientHandler? {
        if case .over = phase { return nil }
        phase = .over
        let client = self.client
        worker.exchangeFinished(self)
        backend?.end(isReusable: backendIsReusable)
        backend = nil
        self.client = nil
        pool = nil
        service = nil
        route = nil
        for level in levels { level.service.requestEnded(at: level.target) }
        levels = []
        passage = nil
        heldHead = nil
        heldResponse = nil
        worker.spareBuffers.giveBack(upstreamHead.takeBytes())
        return client
    }

    /// A state that cannot be: it fails this exchange alone.
    func impossible() {
        assertionFailure("impossible state of an exchange")
        worker.counters.impossible &+= 1
        cut()
    }
}

@available(*, unavailable)
extension Exchange: Sendable {}
