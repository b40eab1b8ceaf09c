import Affinity
import Store

/// Which backend one request goes to: what its service decided, and each weighted service above it.
///
/// Events in, what to do next out. It also keeps the count of requests at the chosen backend. Not copyable: each
/// request is counted once, and a copy would cost a dozen reference counts.
struct BackendChoice: ~Copyable {
    /// What is to be done next.
    enum Step {
        /// Look in the request for its session with this service, then tell `decide`.
        case readSession(ServiceRuntime)
        /// Send the request to this backend; if that cannot be reached, tell `backendFailed`.
        case connect(BackendPool)
        /// Ask the store, then tell `storeAnswered`.
        case send(StoreOperation)
        /// No backend may take the request.
        case refuse
        /// A state that cannot be.
        case impossible
    }

    /// What the session's cookie has to do with this request.
    private enum SessionState {
        /// No session, or one whose key is not our cookie.
        case none
        case cookie(AffinityCookieSealer.SessionID, presented: Hint?)
    }

    /// A service above the one that is deciding now, and what it decided.
    private struct Level {
        let service: ServiceRuntime
        var decision: Decision
        let session: SessionState
        let route: Route?
        /// The child that it decided for.
        let target: BackendHash
        /// Children that turned out to have no backend for this request.
        let refused: [BackendHash]
    }

    /// Deeper than anybody nests services; a loop, which the configuration cannot have, ends here.
    private static let levelsMax = 16

    /// The service that is deciding now; nil before the first, and when the request is over.
    private(set) var service: ServiceRuntime?
    /// What was decided last.
    private(set) var route: Route?
    /// The backend that the route leads to. It stays, while the configuration may give it another place, or none.
    private(set) var pool: BackendPool? {
        didSet { service?.requestWent(from: oldValue, to: pool) }
    }
    private var client: ClientConnectionInfo?
    private var decision = Decision(fingerprint: Fingerprint(high: 0, low: 0))
    private var session = SessionState.none
    /// Of the service that is deciding now: its backends that could not be reached, where the request has no session.
    private var balanceFailures = 0
    /// The weighted services that led to this one, the outermost first.
    private var levels: [Level] = []
    /// Of the service that is deciding now: its children that had no backend.
    private var refusedByChildren: [BackendHash] = []

    // MARK: Events

    /// The request has come to its service, which is to look for its session next; then tell `decide`.
    mutating func begin(_ service: ServiceRuntime, from client: ClientConnectionInfo) {
        self.service = service
        self.client = client
    }

    /// The session that the request has with the service that is deciding now.
    /// - Parameters:
    ///   - otherKeys: what else the request has of the source of its key; looked for only where the key is not known.
    ///   - proposal: where the request has a session begin that nobody knows, likewise.
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
            let hint = service.believable(opened.hint, now: service.loop.wallClock())
            session = .cookie(opened.session, presented: hint)
            return begin(Decision(fingerprint: fingerprint, hint: hint), service)
        case .newSession(let proposal):
            let id = service.loop.randomSessionID()
            guard let fingerprint = service.fingerprint(of: id) else { return .impossible }
            session = .cookie(id, presented: nil)
            return begin(Decision(fingerprint: fingerprint, isNew: true, proposal: proposal), service)
        }
    }

    /// The store has answered the question of the last step.
    mutating func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) -> Step {
        guard let service else { return .impossible }
        let step = service.affinity.storeAnswered(
            &decision, answer, to: operation, stamp: stamp, now: service.loop.now())
        return perform(step, service)
    }

    /// The backend of the last step cannot be reached, and is marked so.
    mutating func backendFailed() -> Step {
        guard let service, let route else { return .impossible }
        guard route.provenance == .balanced else { return decideAgain(service) }
        // As many times as there are backends: one that comes and goes would keep a request going round.
        balanceFailures += 1
        return balanceFailures <= service.pools.count ? balance(service) : refused(.noBackend)
    }

    /// The request is over: it counts at no backend any more.
    mutating func end() {
        pool = nil
        service = nil
        route = nil
        for level in levels { level.service.requestEnded(at: level.target) }
        levels = []
    }

    // MARK: What is told of it

    /// The lines that give the client the cookies of the levels, the outermost first, where it is to have them.
    func setCookies() -> [UInt8] {
        guard let service else { return [] }
        guard !levels.isEmpty else { return Self.setCookie(service, session, route) }
        return levels.flatMap { Self.setCookie($0.service, $0.session, $0.route) }
            + Self.setCookie(service, session, route)
    }

    /// Whether responses are searched for session keys.
    var learns: Bool {
        guard let service else { return false }
        return service.sessionRules.learns
            || (!levels.isEmpty && levels.contains(where: \.service.sessionRules.learns))
    }

    /// The session keys that a response issues and that are to be bound to the backend that gave it.
    func issuedKeys(_ response: ResponseView) -> [IssuedKey] {
        guard learns, let service, let pool else { return [] }
        var keys: [IssuedKey] = []
        for level in levels {
            Self.addIssuedKeys(response, level.service, level.decision, level.route, by: level.target, to: &keys)
        }
        Self.addIssuedKeys(response, service, decision, route, by: pool.hash, to: &keys)
        return keys
    }

    /// Whether a field of this name (in lower case) holds a session key. In a trailer it would be another one than that
    /// by which the request went.
    func isSessionKey(_ name: [UInt8]) -> Bool {
        (levels.map(\.service) + [service].compactMap(\.self)).contains { service in
            service.sessionRules.sources.contains { source in
                if case .header(let header, _, _) = source { header.utf8.elementsEqual(name) } else { false }
            }
        }
    }

    /// Nil where the request has no session.
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
        return go(to: route.backend, of: service)
    }

    private mutating func perform(_ step: Affinity.Step, _ service: ServiceRuntime) -> Step {
        switch step {
        case .forward(let route):
            self.route = route
            if let touch = route.touch { service.store.send(touch, for: service) }
            return go(to: route.backend, of: service)
        case .send(let operation):
            return .send(operation)
        case .refuse(let refusal):
            return refused(refusal)
        }
    }

    /// To the backend or the child that the service has decided for.
    private mutating func go(to index: Int, of service: ServiceRuntime) -> Step {
        guard service.isWeighted else {
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
        let child = service.children[index]
        self.service = child
        session = .none
        route = nil
        refusedByChildren = []
        balanceFailures = 0
        return .readSession(child)
    }

    /// The service has no backend for this request: the one above it is asked for another child.
    private mutating func refused(_ refusal: Refusal) -> Step {
        guard refusal == .noBackend, let level = levels.popLast() else { return .refuse }
        pool = nil
        level.service.requestEnded(at: level.target)
        service = level.service
        decision = level.decision
        session = level.session
        route = level.route
        refusedByChildren = level.refused + [level.target]
        // Each child has had its turn, or as many turns as there are children.
        guard refusedByChildren.count < level.service.children.count else { return refused(.noBackend) }
        return decideAgain(level)
    }

    /// A child that is down is left as a backend would be. One that is up, and has nobody for this request, would only
    /// be chosen again.
    private mutating func decideAgain(_ level: Level) -> Step {
        if refusedByChildren.contains(where: level.service.isUp) {
            let step = level.service.affinity.nextChoice(decision, from: route, besides: refusedByChildren)
            return perform(step, level.service)
        }
        return level.route?.provenance == .balanced ? balance(level.service) : decideAgain(level.service)
    }

    // MARK: Cookies and keys of one level

    private static func setCookie(_ service: ServiceRuntime, _ session: SessionState, _ route: Route?) -> [UInt8] {
        guard case .cookie(let id, let presented) = session, let route else { return [] }
        return service.setCookie(for: id, presented: presented, route: route)
    }

    private static func addIssuedKeys(
        _ response: ResponseView, _ service: ServiceRuntime, _ decision: Decision, _ route: Route?,
        by backend: BackendHash, to keys: inout [IssuedKey]
    ) {
        guard service.sessionRules.learns else { return }
        service.forEachIssuedKey(response) { key in
            // The session of this very request: known, or being made known already.
            if let route, route.provenance != .balanced, decision.fingerprint == key { return }
            keys.append(IssuedKey(service: service, learning: Learning(fingerprint: key, backend: backend)))
        }
    }
}

/// A session key that a response issues, and the service that it is a key of.
struct IssuedKey {
    let service: ServiceRuntime
    let learning: Learning
}
