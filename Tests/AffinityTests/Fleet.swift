import Affinity
import LimpetTestKit

/// Replicas of one service with five backends, a store between them, and a clock: what a test of decisions plays with.
struct Fleet {
    enum Outcome: Equatable {
        case route(Route)
        case refusal(Refusal)
    }

    /// The wall clock at the origin of instants, in nanoseconds since 1970.
    static let wallOrigin: Int64 = 1_700_000_000_000_000_000
    static let names = ["web-1", "web-2", "web-3", "web-4", "web-5"]

    var store = ModelStore()
    /// What the store says instead, if it says anything at all.
    var failure: StoreFailure?
    /// False: the breaker is open.
    var storeMayBeAsked = true
    var now = Instant(nanoseconds: 1_000_000_000_000)
    private(set) var membership: Membership
    let settings: AffinitySettings
    private let judgesAlone: Bool
    var replicas: [SessionAffinity] = []
    /// How long the channel of each replica has been live at the start, in milliseconds.
    static let generationAge: Int64 = 1000
    /// What was asked, in order.
    private(set) var asked: [StoreQuestion] = []

    init(
        replicas count: Int = 1, weights: [UInt16] = [1, 1, 1, 1, 1], draining: Set<String> = [],
        settings: AffinitySettings = AffinitySettings(idleTimeout: 30 * 60 * 1000), judgesAlone: Bool = true
    ) throws {
        self.judgesAlone = judgesAlone
        membership = try PlacementTests.membership(Self.names, weights: weights, draining: draining)
        self.settings = settings
        for _ in 0..<count { replicas.append(makeReplica()) }
    }

    func backend(_ index: Int) -> BackendHash { membership.backends[index].hash }
    func binding(_ index: Int, _ epoch: UInt32) -> Binding { Binding(backend: backend(index), epoch: epoch) }
    func hint(_ index: Int, _ epoch: UInt32) -> Hint { Hint(binding: binding(index, epoch), born: 0, issued: 0) }
    func entry(_ fingerprint: Fingerprint, replica: Int = 0) -> BindingCache.Entry? {
        replicas[replica].cache.peek(fingerprint, now: now)
    }

    /// Whether the coherence channel of a replica is live, in the generation it began with or in a new one.
    func setChannel(live: Bool, isNew: Bool = false, lineage: UInt64 = 0, replica: Int = 0) {
        let began = isNew ? now : Instant(nanoseconds: 1_000_000_000_000).advanced(byMilliseconds: -Self.generationAge)
        let standing = Coherence.Standing(
            liveUntil: live ? .distantFuture : .distantPast, generationBegan: began, lineage: lineage)
        replicas[replica].coherence.publish(standing)
    }

    mutating func pass(_ milliseconds: Int64) { now = now.advanced(byMilliseconds: milliseconds) }

    mutating func markDown(_ index: Int) { for replica in replicas { replica.health.markDown(index) } }
    mutating func markUp(_ index: Int) { for replica in replicas { replica.health.markUp(index) } }

    /// All replicas go on with other backends.
    mutating func reconfigure(_ names: [String], weights: [UInt16]? = nil, draining: Set<String> = []) throws {
        let old = membership
        membership = try PlacementTests.membership(names, weights: weights, draining: draining)
        for index in replicas.indices {
            let kept = membership.backends.map { old.index(of: $0.hash) }
            replicas[index].reconfigure(
                membership: membership, health: HealthTable(succeeding: replicas[index].health, kept: kept),
                settings: settings)
        }
    }

    mutating func restart(replica: Int) { replicas[replica] = makeReplica() }

    /// Puts an entry into a replica's cache.
    mutating func know(
        _ fingerprint: Fingerprint, _ binding: Binding, _ kind: BindingCache.Kind, age: Int64 = 0,
        born: UInt32? = nil, replica: Int = 0
    ) {
        let since = now.advanced(byMilliseconds: -age)
        let entry = BindingCache.Entry(
            binding: binding, kind: kind, confirmedAt: since,
            expiresAt: since.advanced(byMilliseconds: settings.recordLifetime), born: born)
        replicas[replica].cache.store(entry, for: fingerprint, now: now)
    }

    /// Puts a record into the store.
    mutating func hold(_ fingerprint: Fingerprint, _ binding: Binding) {
        store.put(fingerprint, binding, until: now.advanced(byMilliseconds: settings.recordLifetime))
    }

    mutating func begin(_ decision: inout Decision, replica: Int = 0) -> Step {
        replicas[replica].begin(&decision, storeMayBeAsked: storeMayBeAsked, now: now)
    }

    mutating func answer(
        _ decision: inout Decision, _ answer: StoreAnswer, to question: StoreQuestion, asked: Instant? = nil,
        isOfChannel: Bool = true, replica: Int = 0
    ) -> Step {
        replicas[replica].storeAnswered(
            &decision, answer, to: question, asked: Asking(at: asked ?? now, isOfChannel: isOfChannel), now: now)
    }

    mutating func answeredAside(
        _ answer: StoreAnswer, to question: StoreQuestion, asked: Instant? = nil, replica: Int = 0
    ) -> StoreQuestion? {
        replicas[replica].answeredAside(answer, to: question, asked: Asking(at: asked ?? now), now: now)
    }

    mutating func nextOffer(replica: Int = 0) -> StoreQuestion? {
        let mayAsk = storeMayBeAsked
        return replicas[replica].nextOffer(now: now) { _ in mayAsk }
    }

    /// Serves a request to its end, the store answering at once; the touch is left unanswered.
    mutating func serve(
        _ fingerprint: Fingerprint, hint: Hint? = nil, isNew: Bool = false, proposal: BackendHash? = nil,
        replica: Int = 0
    ) -> Outcome {
        var decision = Decision(fingerprint: fingerprint, hint: hint, isNew: isNew, proposal: proposal)
        return finish(&decision, begin(&decision, replica: replica), replica: replica)
    }

    /// A backend issues a session key; the store answers at once.
    mutating func learn(_ fingerprint: Fingerprint, from index: Int, replica: Int = 0) {
        var learning = Learning(fingerprint: fingerprint, backend: backend(index))
        var step = replicas[replica].learn(&learning, storeMayBeAsked: storeMayBeAsked, now: now)
        while case .ask(let question) = step {
            asked.append(question)
            let said = failure.map { StoreAnswer.unavailable($0) } ?? store.answer(question, now: now)
            step = replicas[replica].storeAnswered(&learning, said, to: question, asked: Asking(at: now), now: now)
        }
    }

    /// Tells the store what it has not heard, all of it.
    mutating func offerAll(replica: Int = 0) {
        while var question = nextOffer(replica: replica) {
            while let next = answeredAside(store.answer(question, now: now), to: question, replica: replica) {
                question = next
            }
        }
    }

    mutating func backendFailed(_ decision: inout Decision, replica: Int = 0) -> Outcome {
        let step = replicas[replica].backendFailed(&decision, storeMayBeAsked: storeMayBeAsked, now: now)
        return finish(&decision, step, replica: replica)
    }

    mutating func finish(_ decision: inout Decision, _ step: Step, replica: Int = 0) -> Outcome {
        var step = step
        while true {
            switch step {
            case .forward(let route): return .route(route)
            case .refuse(let refusal): return .refusal(refusal)
            case .ask(let question):
                asked.append(question)
                let said = failure.map { StoreAnswer.unavailable($0) } ?? store.answer(question, now: now)
                step = answer(&decision, said, to: question, replica: replica)
            }
        }
    }

    private func makeReplica() -> SessionAffinity {
        let coherence = Coherence(primaries: 1)
        let began = now.advanced(byMilliseconds: -Self.generationAge)
        coherence.publish(Coherence.Standing(liveUntil: .distantFuture, generationBegan: began, lineage: 0))
        return SessionAffinity(
            membership: membership, cache: BindingCache(entries: 1000, shards: 4), coherence: coherence,
            health: HealthTable(count: membership.count, judgesAlone: judgesAlone), settings: settings,
            wallOrigin: Self.wallOrigin)
    }
}

extension Fleet.Outcome {
    var route: Route? {
        switch self {
        case .route(let route): route
        case .refusal: nil
        }
    }
}
