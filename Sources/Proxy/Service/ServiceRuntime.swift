import Affinity
import Crypto
import Routing
import Store

/// One service on one event loop: its decisions, its connections and its counters. The object stays the same as long as
/// a service of this name and kind (with backends, or with children) is configured; other changes to the configuration
/// are applied in place.
final class ServiceRuntime: StoreWaiter {
    private(set) var description: Service
    /// In the order of the membership.
    private(set) var pools: [BackendPool]
    /// For a weighted service: in the order of the membership.
    private(set) var children: [ServiceRuntime] = []
    let hasChildren: Bool
    private(set) var sessionRules: SessionRules
    var affinity: SessionAffinity
    var counters = ServiceCounters()
    var retryBudget = RetryBudget()
    let loop: LoopContext
    let store: any BindingStore
    /// The service is no longer configured: exchanges in progress finish with its last state.
    private(set) var isRetired = false
    private var successor: ServiceRuntime?

    /// The parts of the description that every request and response reads: ``Sticky`` is expensive to copy.
    struct SessionRules {
        /// Where to look for the session key.
        let sources: [Sticky.Source]
        /// Whether responses are searched for session keys.
        let learns: Bool
        let renewal: CookieRenewal?
        let affinityCookie: AffinityCookie?

        init(_ description: Service, cookieKeys: [SymmetricKey]) {
            sources = description.sticky?.sources ?? []
            learns = description.sticky?.learns ?? false
            renewal = description.sticky?.renewal
            affinityCookie = AffinityCookie(description, keys: cookieKeys)
        }
    }

    var sticky: Sticky? { description.sticky }

    init(
        _ description: Service, loop: LoopContext, store: any BindingStore, cache: BindingCache, coherence: Coherence,
        cookieKeys: [SymmetricKey]
    ) {
        self.description = description
        self.loop = loop
        self.store = store
        hasChildren = description.hasChildren
        sessionRules = SessionRules(description, cookieKeys: cookieKeys)
        pools = description.runningBackends.map {
            BackendPool(backend: $0, hash: $1, state: $2, limits: description.limits, loop: loop)
        }
        affinity = SessionAffinity(
            membership: description.membership, cache: cache, coherence: coherence, health: description.health,
            settings: description.settings, seed: loop.randomSeed())
        numberPools()
    }

    /// Applies a new description. Connections to a backend of the same name and address are kept; exchanges in progress
    /// finish with their current backend.
    func adopt(_ description: Service, cookieKeys: [SymmetricKey]) {
        affinity.reconfigure(
            membership: description.membership, health: description.health, settings: description.settings)
        if description.membership !== self.description.membership || description.backends != self.description.backends {
            adoptBackends(description)
        }
        for pool in pools { pool.adopt(description.limits) }
        self.description = description
        numberPools()
        sessionRules = SessionRules(description, cookieKeys: cookieKeys)
    }

    /// Finds the service's children among the services of the snapshot.
    func adoptChildren(_ services: [ServiceRuntime]) {
        children = description.children.map { services[$0] }
    }

    private func numberPools() {
        for (index, pool) in pools.enumerated() {
            pool.index = index
            pool.passiveHealthCheck = description.passiveHealthCheck
        }
    }

    private func adoptBackends(_ description: Service) {
        var old = Dictionary(pools.map { ($0.hash, $0) }, uniquingKeysWith: { first, _ in first })
        pools = description.runningBackends.map { backend, hash, state in
            if let pool = old[hash], pool.backend == backend, pool.state === state {
                old[hash] = nil
                return pool
            }
            return BackendPool(backend: backend, hash: hash, state: state, limits: description.limits, loop: loop)
        }
        for pool in old.values {
            pool.index = nil
            pool.retire()
        }
        // For a weighted service, the exchanges count the requests at children, so the counts need no rebuild.
        if !hasChildren { affinity.inFlight = InFlight(pools.map(\.inFlight)) }
    }

    /// A service of another kind has the name now, and takes over the counters.
    func retire(for successor: ServiceRuntime) {
        successor.counters = counters
        successor.retryBudget = retryBudget
        self.successor = successor
        retire()
    }

    /// The service that counts an exchange that began with this one.
    var counting: ServiceRuntime { successor?.counting ?? self }

    /// The service is no longer configured: exchanges in progress finish, and nothing is kept for later ones.
    func retire() {
        isRetired = true
        for pool in pools { pool.retire() }
    }

    // MARK: Backends

    /// False for a backend that the service no longer has.
    func isUp(_ pool: BackendPool) -> Bool {
        pool.state.isUp && pool.index != nil
    }

    /// For a weighted service: whether the child is up; false for a child that the service no longer has.
    func isUp(_ child: BackendHash) -> Bool {
        description.membership.index(of: child).map { description.health.isUp($0) } ?? false
    }

    /// Moves a request from `old` to `new`; nil means no backend yet, or no backend any more.
    func requestWent(from old: BackendPool?, to new: BackendPool?) {
        if let old {
            old.inFlight -= 1
            if let index = old.index { affinity.inFlight.ended(index) }
        }
        if let new {
            new.inFlight += 1
            if let index = new.index { affinity.inFlight.began(index) }
        }
    }

    /// For a weighted service: a request goes to the child.
    func requestBegan(at child: BackendHash) {
        if let index = description.membership.index(of: child) { affinity.inFlight.began(index) }
    }

    func requestEnded(at child: BackendHash) {
        if let index = description.membership.index(of: child) { affinity.inFlight.ended(index) }
    }

    // MARK: Failover

    /// For a failover: whether the child is its fallback.
    func isFallback(_ child: BackendHash) -> Bool {
        description.failoverStatuses != nil && description.membership.backends.last?.hash == child
    }

    /// For a failover: whether a request that the child answered with this status goes to the fallback.
    func fallsBack(from child: BackendHash, status: Int) -> Bool {
        guard let statuses = description.failoverStatuses, !isFallback(child) else { return false }
        guard let fallback = description.membership.backends.last?.hash, isUp(fallback) else { return false }
        return statuses.contains { $0.contains(status) }
    }

    /// Where a request without a session goes. If the service has sticky sessions, such a request is not placed by its
    /// client's address: the address may be a proxy's, shared by all clients whose sessions are yet to begin.
    func balance(_ client: ClientConnectionInfo) -> Route? {
        guard sticky == nil, description.strategy == .hrw, let scope = description.clientScope, let bits = client.bits
        else {
            return affinity.balance(nil, now: loop.now())
        }
        return affinity.balance(bits.bytes.withUnsafeBytes { scope.fingerprint(of: $0) }, now: loop.now())
    }

    // MARK: The affinity cookie

    /// Nil if the service has no affinity cookie.
    func fingerprint(of id: AffinityCookieSealer.SessionID) -> Fingerprint? {
        sessionRules.affinityCookie?.scope.map { scope in id.withBytes { scope.fingerprint(of: $0) } }
    }

    /// The hint, if it is neither too old nor from the future.
    func believable(_ hint: Hint, now: UInt32) -> Hint? {
        guard let renewal = sessionRules.renewal, renewal.isValid(hint, now: now) else { return nil }
        return hint
    }

    /// Whether a believable hint vouches for its session's record.
    func vouches(_ hint: Hint, now: UInt32) -> Bool {
        sessionRules.renewal?.vouches(hint, now: now) ?? false
    }

    /// The Set-Cookie line for this decision's route; empty if the client's cookie is up to date.
    ///
    /// - Parameter isSecure: whether the request came over TLS.
    func setCookie(
        for id: AffinityCookieSealer.SessionID, presented: Hint?, _ decision: Decision, route: Route, isSecure: Bool
    ) -> [UInt8] {
        guard let renewal = sessionRules.renewal, let affinityCookie = sessionRules.affinityCookie else { return [] }
        let now = loop.wallClock()
        let issued = renewal.issued(
            for: route, hint: presented,
            recordLives: decision.isNew
                || affinity.recordLives(
                    forMilliseconds: renewal.vouchedLifeMilliseconds, decision.fingerprint, route.binding,
                    now: loop.now()),
            now: now)
        guard let issued else { return [] }
        // If the cookie lost the session's creation time, the session could outlive its age limit.
        let hint = Hint(
            binding: route.binding, createdAtSeconds: route.createdAtSeconds ?? presented?.createdAtSeconds ?? now,
            issued: issued)
        return affinityCookie.line(id, hint, isSecure: isSecure, random: loop.randomNonce())
    }

    // MARK: The store

    /// Touches are sent for the service instead of an exchange: no request waits for their results.
    func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        if let next = followUp(to: answer, of: operation, stamp: stamp) { store.send(next, for: self) }
    }

    /// The operation to send after the result of one that no request waits for.
    func followUp(to answer: StoreResult, of operation: StoreOperation, stamp: OperationStamp) -> StoreOperation? {
        guard let next = affinity.storeAnsweredInBackground(answer, to: operation, stamp: stamp, now: loop.now()) else {
            return nil
        }
        guard store.isAvailable(for: next.fingerprint) else {
            return affinity.storeAnsweredInBackground(.unavailable(.away), to: next, stamp: stamp, now: loop.now())
        }
        return next
    }
}

@available(*, unavailable)
extension ServiceRuntime: Sendable {}
