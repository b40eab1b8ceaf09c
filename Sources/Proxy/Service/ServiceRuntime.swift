import Affinity
import Crypto
import Routing
import Store

/// One service as one event loop runs it: its decisions, its connections and its counters. It is the same object for as
/// long as there is a service of its name and kind, with backends or with children; what else is configured anew
/// changes in place.
final class ServiceRuntime: StoreWaiter {
    private(set) var description: Service
    /// In the order of the membership.
    private(set) var pools: [BackendPool]
    /// Of a weighted service: in the order of the membership.
    private(set) var children: [ServiceRuntime] = []
    let isWeighted: Bool
    private(set) var sessionRules: SessionRules
    var affinity: SessionAffinity
    var counters = ServiceCounters()
    let loop: LoopContext
    let store: any BindingStore
    /// There is no such service any more: exchanges under way finish with what it was.
    private(set) var isRetired = false
    private var successor: ServiceRuntime?

    /// What requests and responses read of the description again and again: ``Sticky`` has many parts to copy.
    struct SessionRules {
        /// Where the session key is looked for.
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
        isWeighted = description.isWeighted
        sessionRules = SessionRules(description, cookieKeys: cookieKeys)
        pools = description.runningBackends.map { BackendPool(backend: $0, hash: $1, state: $2, loop: loop) }
        affinity = SessionAffinity(
            membership: description.membership, cache: cache, coherence: coherence, health: description.health,
            settings: description.settings, seed: loop.randomSeed())
    }

    /// Goes on as described now. Connections to a backend of the same name and address are kept; exchanges under way
    /// finish where they are.
    func adopt(_ description: Service, cookieKeys: [SymmetricKey]) {
        affinity.reconfigure(
            membership: description.membership, health: description.health, settings: description.settings)
        if description.membership !== self.description.membership || description.backends != self.description.backends {
            adoptBackends(description)
        }
        self.description = description
        sessionRules = SessionRules(description, cookieKeys: cookieKeys)
    }

    /// Finds its children among the services of the snapshot.
    func adoptChildren(_ services: [ServiceRuntime]) {
        children = description.children.map { services[$0] }
    }

    private func adoptBackends(_ description: Service) {
        var old = Dictionary(pools.map { ($0.hash, $0) }, uniquingKeysWith: { first, _ in first })
        pools = description.runningBackends.map { backend, hash, state in
            if let pool = old[hash], pool.backend == backend, pool.state === state {
                old[hash] = nil
                return pool
            }
            return BackendPool(backend: backend, hash: hash, state: state, loop: loop)
        }
        for pool in old.values { pool.retire() }
        // Requests at children are counted by the exchanges alone.
        if !isWeighted { affinity.inFlight = InFlight(pools.map(\.inFlight)) }
    }

    /// Another kind of service has the name now, and counts on.
    func retire(for successor: ServiceRuntime) {
        successor.counters = counters
        self.successor = successor
        retire()
    }

    /// Where exchanges are counted that have been this service's from their start.
    var counting: ServiceRuntime { successor?.counting ?? self }

    /// There is no such service any more: exchanges under way finish, and nothing is kept for others.
    func retire() {
        isRetired = true
        for pool in pools { pool.retire() }
    }

    // MARK: Backends

    /// The backend's place in the membership as it is now; nil where the service no longer has it at that address.
    func index(of pool: BackendPool) -> Int? {
        guard let index = description.membership.index(of: pool.hash), pools.indices.contains(index),
            pools[index] === pool
        else { return nil }
        return index
    }

    /// False for a backend that the service no longer has.
    func isUp(_ pool: BackendPool) -> Bool {
        pool.state.isUp && index(of: pool) != nil
    }

    /// Of a weighted service: whether the child is up; false for one that it no longer has.
    func isUp(_ child: BackendHash) -> Bool {
        description.membership.index(of: child).map { description.health.isUp($0) } ?? false
    }

    /// A request goes to `new`, having been meant for `old`; nil: to none yet, to none any more.
    func requestWent(from old: BackendPool?, to new: BackendPool?) {
        if let old {
            old.inFlight -= 1
            if let index = index(of: old) { affinity.inFlight.ended(index) }
        }
        if let new {
            new.inFlight += 1
            if let index = index(of: new) { affinity.inFlight.began(index) }
        }
    }

    /// Of a weighted service: a request goes to the child.
    func requestBegan(at child: BackendHash) {
        if let index = description.membership.index(of: child) { affinity.inFlight.began(index) }
    }

    func requestEnded(at child: BackendHash) {
        if let index = description.membership.index(of: child) { affinity.inFlight.ended(index) }
    }

    /// Where a request without a session goes. Where others have sessions, it is not held to its client's address: it
    /// may come by a proxy, and with it all those whose session is yet to begin.
    func balance(_ client: ClientConnectionInfo) -> Route? {
        guard sticky == nil, description.strategy == .hrw, let scope = description.clientScope, let bits = client.bits
        else {
            return affinity.balance(nil)
        }
        return affinity.balance(bits.bytes.withUnsafeBytes { scope.fingerprint(of: $0) })
    }

    // MARK: Our own cookie

    /// Nil where the service has no cookie of ours.
    func fingerprint(of id: AffinityCookieSealer.SessionID) -> Fingerprint? {
        sessionRules.affinityCookie?.scope.map { scope in id.withBytes { scope.fingerprint(of: $0) } }
    }

    /// The hint, if it is neither too old nor from the future.
    func believable(_ hint: Hint, now: UInt32) -> Hint? {
        guard let renewal = sessionRules.renewal, renewal.isValid(hint, now: now) else { return nil }
        return hint
    }

    /// The Set-Cookie line for this route, or nothing where the client's cookie says it already.
    func setCookie(for id: AffinityCookieSealer.SessionID, presented: Hint?, route: Route) -> [UInt8] {
        let now = loop.wallClock()
        guard let renewal = sessionRules.renewal, renewal.isDue(for: route, hint: presented, now: now),
            let affinityCookie = sessionRules.affinityCookie
        else { return [] }
        // A cookie that says less than the record would let the session outlive its age.
        let hint = Hint(
            binding: route.binding, createdAtSeconds: route.createdAtSeconds ?? presented?.createdAtSeconds ?? now,
            issued: now)
        return affinityCookie.line(id, hint, random: loop.randomNonce())
    }

    // MARK: The store

    /// Touches and offers are asked for the service rather than for an exchange: nobody waits for them.
    func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        guard let next = affinity.storeAnsweredInBackground(answer, to: operation, stamp: stamp, now: loop.now()) else {
            return
        }
        guard store.isAvailable(for: next.fingerprint) else {
            _ = affinity.storeAnsweredInBackground(.unavailable(.away), to: next, stamp: stamp, now: loop.now())
            return
        }
        store.send(next, for: self)
    }
}

@available(*, unavailable)
extension ServiceRuntime: Sendable {}
