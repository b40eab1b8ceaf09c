import Affinity
import Crypto
import Store

/// One service as one event loop runs it: its decisions, its connections and its counters.
final class ServiceRuntime: StoreWaiter {
    let description: Service
    let index: Int
    let pools: [BackendPool]
    var affinity: SessionAffinity
    let sessionCookie: SessionCookie?
    let worker: Worker
    private let cookieScope: FingerprintScope?
    private let cookieSuffix: [UInt8]
    private let cookiePrefix: [UInt8]
    private var turn = WeightedTurn()

    var sticky: Sticky? { description.sticky }

    init(
        _ description: Service, index: Int, worker: Worker, cache: BindingCache, coherence: Coherence,
        cookieKeys: [SymmetricKey]
    ) {
        self.description = description
        self.index = index
        self.worker = worker
        pools = description.backends.map { BackendPool(backend: $0, worker: worker) }
        affinity = SessionAffinity(
            membership: description.membership, cache: cache, coherence: coherence, health: description.health,
            settings: description.sticky?.settings ?? AffinitySettings())
        let cookie = description.sticky?.cookie
        sessionCookie = cookie == nil ? nil : SessionCookie(keys: cookieKeys, service: description.name)
        cookieScope =
            description.sticky?.sources.compactMap {
                if case .cookie(let scope) = $0 { scope } else { nil }
            }.first
        cookiePrefix = Array("Set-Cookie: \(cookie?.name ?? "")=".utf8)
        cookieSuffix = Array("\(cookie?.suffix ?? "")\r\n".utf8)
    }

    /// The next backend for a request without a session: smooth weighted round robin over the usable ones.
    func nextBalanced() -> Int? {
        turn.next(description.membership, health: description.health)
    }

    func fingerprint(of id: SessionCookie.SessionID) -> Fingerprint {
        guard let cookieScope else { return Fingerprint(high: id.high, low: id.low) }
        return id.withBytes { cookieScope.fingerprint(of: $0) }
    }

    /// The hint, if it is neither too old nor from the future.
    func believable(_ hint: Hint, now: UInt32) -> Hint? {
        guard let sticky, sticky.renewal.isValid(hint, now: now) else { return nil }
        return hint
    }

    /// The Set-Cookie line for this route, or nothing where the client's cookie says it already.
    func setCookie(
        for id: SessionCookie.SessionID, presented: Hint?, route: Route, worker: Worker
    ) -> [UInt8] {
        let now = worker.wallClock()
        guard let sticky, let sessionCookie, sticky.renewal.isDue(for: route, hint: presented, now: now) else {
            return []
        }
        let hint = Hint(binding: route.binding, born: presented?.born ?? now, issued: now)
        return cookiePrefix + sessionCookie.seal(id, hint, random: worker.randomNonce()) + cookieSuffix
    }

    /// Touches and offers are asked for the service rather than for an exchange: nobody waits for them.
    func storeAnswered(_ answer: StoreAnswer, to question: StoreQuestion, asked: Asking) {
        guard let next = affinity.answeredAside(answer, to: question, asked: asked, now: worker.now()) else { return }
        guard worker.store.mayBeAsked else {
            _ = affinity.answeredAside(.unavailable(.away), to: next, asked: asked, now: worker.now())
            return
        }
        worker.store.ask(next, for: self)
    }
}

@available(*, unavailable)
extension ServiceRuntime: Sendable {}
