import Affinity
import Store

/// Chooses the backend for one request: the decision of its service, and of each service above it.
///
/// Takes events and returns the next step. It also counts the request at the chosen backend. Not copyable: each request
/// is counted once, and a copy would cost a dozen reference counts.
struct BackendChoice: ~Copyable {
    /// The next step.
    enum Step {
        /// Look up the request's session with this service, then call `decide`.
        case readSession(ServiceRuntime)
        /// Send the request to this backend; if it cannot be reached, call `backendFailed`.
        case connect(BackendPool)
        /// Send the operation to the store, then call `storeAnswered`.
        case send(StoreOperation)
        /// No backend may take the request.
        case refuse(Refusal)
        /// A state that cannot occur.
        case impossible
    }

    /// How the affinity cookie relates to this request.
    private enum SessionState {
        /// No session, or a session whose key is not the affinity cookie.
        case none
        case cookie(AffinityCookieSealer.SessionID, presented: Hint?)
    }

    /// A service above the deciding one, with its decision.
    private struct Level {
        let service: ServiceRuntime
        var decision: Decision
        let session: SessionState
        let route: Route?
        /// The chosen child.
        let target: BackendHash
        /// Children that turned out to have no backend for this request.
        let refused: [BackendHash]
    }

    /// Deeper than any real configuration nests services. A loop, which the configuration cannot contain, would end
    /// here.
    private static let levelsMax = 16

    /// The service that is deciding; nil before the first one, and when the request is over.
    private(set) var service: ServiceRuntime?
    /// The latest decision.
    private(set) var route: Route?
    /// The backend that the route leads to. It stays the same even if a new configuration moves it to another index or
    /// removes it.
    private(set) var pool: BackendPool? {
        didSet { service?.requestWent(from: oldValue, to: pool) }
    }
    private var client: ClientConnectionInfo?
    private var decision = Decision(fingerprint: Fingerprint(high: 0, low: 0))
    private var session = SessionState.none
    /// For a request without a session: how many backends of the deciding service could not be reached.
    private var balanceFailures = 0
    /// The services that led to this one, outermost first.
    private var levels: [Level] = []
    /// The backends that were at their limits.
    private var full: [BackendHash] = []
    /// Whether a backend did not take the request because it was at its limit.
    private(set) var metLimit = false
    /// The children of the deciding service that had no backend.
    private var refusedByChildren: [BackendHash] = []

    // MARK: Events

    /// The request has reached its service. The caller looks up the session next, then calls `decide`.
    mutating func begin(_ service: ServiceRuntime, from client: ClientConnectionInfo) {
        self.service = service
        self.client = client
    }

    /// The request has become a tunnel, which may last for days: no decision follows.
    mutating func switchedProtocols() { client = nil }

    /// The session that the request has with the deciding service.
    /// - Parameters:
    ///   - otherKeys: further keys from the same source in the request; evaluated only if the key is unknown.
    ///   - proposal: the backend at which to begin an unknown session; evaluated only if the key is unknown.
    mutating func decide(
        _ presented: PresentedSession, otherKeys: @autoclosure () -> [Fingerprint] = [],
        proposal: @autoclosure () -> BackendHash? = nil
    ) -> Step {
        guard let service else { return .impossible }
        session = .none
        switch presented {
        case .none:
            return balance(service)
        case .key(let fingerprint, _):
            return begin(Decision(fingerprint: fingerprint), service, otherKeys: otherKeys(), proposal: proposal())
        case .cookie(let fingerprint, let opened):
            let now = service.loop.wallClock()
            let hint = service.believable(opened.hint, now: now)
            session = .cookie(opened.session, presented: hint)
            let vouches = hint.map { service.vouches($0, now: now) } ?? false
            return begin(Decision(fingerprint: fingerprint, hint: hint, hintVouches: vouches), service)
        case .newSession(let proposal):
            let id = service.loop.randomSessionID()
            guard let fingerprint = service.fingerprint(of: id) else { return .impossible }
            session = .cookie(id, presented: nil)
            return begin(Decision(fingerprint: fingerprint, isNew: true, proposal: proposal), service)
        }
    }

    /// The store returned the result of the operation in the last step.
    mutating func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) -> Step {
        guard let service else { return .impossible }
        let step = service.affinity.storeAnswered(
            &decision, answer, to: operation, stamp: stamp, now: service.loop.now())
        return perform(step, service)
    }

    /// The backend of the last step cannot be reached and has been marked down.
    mutating func backendFailed() -> Step {
        guard let service, let route else { return .impossible }
        guard route.provenance == .balanced else { return decideAgain(service) }
        // At most once per backend: a backend that keeps going up and down would keep the request circling.
        balanceFailures += 1
        return balanceFailures <= service.pools.count ? balance(service) : refused(.noBackend)
    }

    /// The backend of the last step is at its limit, and its queue did not take the request, or let it go. The session
    /// stays bound to it.
    mutating func backendIsFull() -> Step {
        guard let service, let route, let pool else { return .impossible }
        metLimit = true
        if !full.contains(pool.hash) { full.append(pool.hash) }
        self.pool = nil
        return perform(service.affinity.nextChoice(decision, from: route, besides: full), service)
    }

    /// The backend's answer, or that there is none, was not passed on: the request goes to a backend once more. A
    /// session stays with its backend as long as that one is up.
    mutating func again() -> Step {
        guard let service, let route, let pool else { return .impossible }
        guard route.provenance == .balanced else {
            return service.isUp(pool) ? .connect(pool) : decideAgain(service)
        }
        let step = balance(service)
        // Once more, if the strategy's next one is the same.
        return pool === self.pool ? balance(service) : step
    }

    /// Whether the deciding service is below another one.
    var hasLevels: Bool { !levels.isEmpty }

    /// The backend answered with this status, or Limpet would because of the backend. Nil if the answer counts;
    /// otherwise the fallback that takes the request comes next.
    mutating func failOver(status: Int) -> Step? {
        guard let index = levels.lastIndex(where: { $0.service.fallsBack(from: $0.target, status: status) }) else {
            return nil
        }
        pool = nil
        while levels.count > index + 1, let inner = levels.popLast() { inner.service.requestEnded(at: inner.target) }
        guard let level = levels.popLast() else { return .impossible }
        leave(level)
        return perform(
            level.service.affinity.nextChoice(decision, from: route, besides: refusedByChildren), level.service)
    }

    /// The request is over: it no longer counts at any backend.
    mutating func end() {
        pool = nil
        service = nil
        route = nil
        for level in levels { level.service.requestEnded(at: level.target) }
        levels = []
    }

    /// The request's connections are still in use, as a tunnel: its sessions do not expire meanwhile.
    func keepSessionsAlive() {
        for level in levels { Self.keepAlive(level.decision.fingerprint, level.route, level.service) }
        if let service { Self.keepAlive(decision.fingerprint, route, service) }
    }

    /// How often to call ``keepSessionsAlive()``: touches are due at fifths of a lifetime. Nil without a session.
    var sessionRenewalMilliseconds: Int64? {
        let services = levels.map(\.service) + [service].compactMap(\.self)
        let idle = services.filter { $0.sticky != nil }.map(\.description.settings.idleTimeoutMilliseconds).min()
        return idle.map { min(max($0 / 8, 250), 60_000) }
    }

    private static func keepAlive(_ session: Fingerprint, _ route: Route?, _ service: ServiceRuntime) {
        guard service.sticky != nil, let route, route.provenance != .balanced else { return }
        let touch = service.affinity.touchInUse(
            session, storeIsAvailable: service.store.isAvailable(for: session), now: service.loop.now())
        if let touch { service.store.send(touch, for: service) }
    }

    // MARK: What others read

    /// The Set-Cookie lines for each level, outermost first; empty where the client needs no new cookie.
    func setCookies() -> [UInt8] {
        guard let service else { return [] }
        let isSecure = client?.tls != nil
        let own = Self.setCookie(service, session, decision, route, isSecure: isSecure)
        guard !levels.isEmpty else { return own }
        return levels.flatMap { Self.setCookie($0.service, $0.session, $0.decision, $0.route, isSecure: isSecure) }
            + own
    }

    /// Whether responses are searched for session keys.
    var learns: Bool {
        guard let service else { return false }
        return service.sessionRules.learns
            || (!levels.isEmpty && levels.contains(where: \.service.sessionRules.learns))
    }

    /// The session keys that a response issues and that must be bound to the backend that sent it.
    func issuedKeys(_ response: ResponseView) -> [IssuedKey] {
        guard learns, let service, let pool else { return [] }
        var keys: [IssuedKey] = []
        for level in levels {
            Self.addIssuedKeys(response, level.service, level.decision, level.route, by: level.target, to: &keys)
        }
        Self.addIssuedKeys(response, service, decision, route, by: pool.hash, to: &keys)
        return keys
    }

    /// Whether a field of this name (in lower case) holds a session key. In a trailer it would differ from the key that
    /// routed the request.
    func isSessionKey(_ name: [UInt8]) -> Bool {
        (levels.map(\.service) + [service].compactMap(\.self)).contains { service in
            service.sessionRules.sources.contains { source in
                if case .header(let header, _, _) = source { header.utf8.elementsEqual(name) } else { false }
            }
        }
    }

    /// Nil if the request has no session.
    var fingerprint: Fingerprint? {
        service?.sticky == nil || route?.provenance == .balanced ? nil : decision.fingerprint
    }

    // MARK: Deciding

    private mutating func begin(
        _ decision: Decision, _ service: ServiceRuntime, otherKeys: @autoclosure () -> [Fingerprint] = [],
        proposal: @autoclosure () -> BackendHash? = nil
    ) -> Step {
        self.decision = decision
        let step = service.affinity.begin(
            &self.decision, storeIsAvailable: service.store.isAvailable(for: decision.fingerprint),
            otherKeys: otherKeys(), proposal: proposal(),
            now: service.loop.now())
        return perform(step, service)
    }

    private mutating func decideAgain(_ service: ServiceRuntime) -> Step {
        let session = decision.fingerprint
        let step = service.affinity.backendFailed(
            &decision, storeIsAvailable: service.store.isAvailable(for: session), now: service.loop.now())
        return perform(step, service)
    }

    private mutating func balance(_ service: ServiceRuntime) -> Step {
        session = .none
        guard let client else { return .impossible }
        guard let route = service.balance(client) else { return refused(.noBackend) }
        self.route = route
        return forward(to: route.backend, of: service)
    }

    private mutating func perform(_ step: Affinity.Step, _ service: ServiceRuntime) -> Step {
        switch step {
        case .forward(let route):
            self.route = route
            if let touch = route.touch { service.store.send(touch, for: service) }
            return forward(to: route.backend, of: service)
        case .send(let operation):
            return .send(operation)
        case .refuse(let refusal):
            return refused(refusal)
        }
    }

    /// Continues with the backend or the child that the service has chosen.
    private mutating func forward(to index: Int, of service: ServiceRuntime) -> Step {
        guard service.hasChildren else {
            guard service.pools.indices.contains(index) else { return .impossible }
            let pool = service.pools[index]
            self.pool = pool
            return .connect(pool)
        }
        guard service.children.indices.contains(index), levels.count < Self.levelsMax else { return .impossible }
        let target = service.description.membership.backends[index].hash
        levels.append(
            Level(
                service: service, decision: decision, session: session, route: route, target: target,
                refused: refusedByChildren))
        service.requestBegan(at: target)
        if service.isFallback(target) { service.counting.counters.retries.fallbacks &+= 1 }
        let child = service.children[index]
        self.service = child
        session = .none
        route = nil
        refusedByChildren = []
        full = []
        balanceFailures = 0
        return .readSession(child)
    }

    /// The service has no backend for this request: the service above it chooses another child.
    private mutating func refused(_ refusal: Refusal) -> Step {
        guard refusal == .noBackend, let level = levels.popLast() else { return .refuse(refusal) }
        pool = nil
        leave(level)
        // Each child has been tried, or as many attempts were made as there are children.
        guard refusedByChildren.count < level.service.children.count else { return refused(.noBackend) }
        return decideAgain(level)
    }

    /// Back from a child to the service above it.
    private mutating func leave(_ level: Level) {
        full = []
        level.service.requestEnded(at: level.target)
        service = level.service
        decision = level.decision
        session = level.session
        route = level.route
        refusedByChildren = level.refused + [level.target]
    }

    /// Leaves a child that is down in the same way as a backend. A child that is up, but has no backend for this
    /// request, must be excluded explicitly or it would be chosen again.
    private mutating func decideAgain(_ level: Level) -> Step {
        if refusedByChildren.contains(where: level.service.isUp) {
            let step = level.service.affinity.nextChoice(decision, from: route, besides: refusedByChildren)
            return perform(step, level.service)
        }
        return level.route?.provenance == .balanced ? balance(level.service) : decideAgain(level.service)
    }

    // MARK: Cookies and keys of one level

    private static func setCookie(
        _ service: ServiceRuntime, _ session: SessionState, _ decision: Decision, _ route: Route?, isSecure: Bool
    ) -> [UInt8] {
        guard case .cookie(let id, let presented) = session, let route else { return [] }
        return service.setCookie(for: id, presented: presented, decision, route: route, isSecure: isSecure)
    }

    private static func addIssuedKeys(
        _ response: ResponseView, _ service: ServiceRuntime, _ decision: Decision, _ route: Route?,
        by backend: BackendHash, to keys: inout [IssuedKey]
    ) {
        guard service.sessionRules.learns else { return }
        service.forEachIssuedKey(response) { key in
            // The session of this request itself: already known, or being bound.
            if let route, route.provenance != .balanced, decision.fingerprint == key { return }
            keys.append(IssuedKey(service: service, learning: Learning(fingerprint: key, backend: backend)))
        }
    }
}

/// A session key that a response issues, and the service that it belongs to.
struct IssuedKey {
    let service: ServiceRuntime
    let learning: Learning
}
