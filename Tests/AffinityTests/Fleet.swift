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
    var storeIsAvailable = true
    var now = Instant(nanoseconds: 1_000_000_000_000)
    private(set) var membership: Membership
    let settings: AffinitySettings
    private let judgesAlone: Bool
    var replicas: [SessionAffinity] = []
    /// How long the channel of each replica has been live at the start, in milliseconds.
    static let generationAge: Int64 = 1000
    /// What was asked, in order.
    private(set) var sent: [StoreOperation] = []

    init(
        replicas count: Int = 1, weights: [UInt16] = [1, 1, 1, 1, 1], draining: Set<String> = [],
        settings: AffinitySettings = AffinitySettings(idleTimeoutMilliseconds: 30 * 60 * 1000), judgesAlone: Bool = true
    ) throws {
        self.judgesAlone = judgesAlone
        membership = try PlacementTests.membership(Self.names, weights: weights, draining: draining)
        self.settings = settings
        for _ in 0..<count { replicas.append(makeReplica()) }
    }

    func backend(_ index: Int) -> BackendHash { membership.backends[index].hash }
    func binding(_ index: Int, _ epoch: UInt32) -> Binding { Binding(backend: backend(index), epoch: epoch) }
    func hint(_ index: Int, _ epoch: UInt32) -> Hint {
        Hint(binding: binding(index, epoch), createdAtSeconds: 0, issued: 0)
    }
    func entry(_ fingerprint: Fingerprint, replica: Int = 0) -> BindingCache.Entry? {
        replicas[replica].cache.peek(fingerprint, now: now)
    }

    /// Whether the coherence channel of a replica is live, in the generation it began with or in a new one.
    func setChannel(live: Bool, isNew: Bool = false, lineage: UInt64 = 0, replica: Int = 0) {
        let began = isNew ? now : Instant(nanoseconds: 1_000_000_000_000).advanced(byMilliseconds: -Self.generationAge)
        let status = Coherence.Status(
            liveUntil: live ? .distantFuture : .distantPast, generationBegan: began, lineage: lineage)
        replicas[replica].coherence.publish(status)
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
        isStandby: Bool = false, createdAtSeconds: UInt32? = nil, replica: Int = 0
    ) {
        let since = now.advanced(byMilliseconds: -age)
        let entry = BindingCache.Entry(
            binding: binding, kind: kind, confirmedAt: since,
            expiresAt: since.advanced(byMilliseconds: settings.recordLifetimeMilliseconds), isSuspect: isStandby,
            isStandby: isStandby, createdAtSeconds: createdAtSeconds)
        replicas[replica].cache.store(entry, for: fingerprint, now: now)
    }

    /// Puts a record into the store.
    mutating func hold(_ fingerprint: Fingerprint, _ binding: Binding) {
        store.put(fingerprint, binding, until: now.advanced(byMilliseconds: settings.recordLifetimeMilliseconds))
    }

    mutating func begin(_ decision: inout Decision, replica: Int = 0) -> Step {
        replicas[replica].begin(&decision, storeIsAvailable: storeIsAvailable, now: now)
    }

    mutating func result(
        _ decision: inout Decision, _ result: StoreResult, to operation: StoreOperation, sentAt: Instant? = nil,
        isFromChannelServer: Bool = true, replica: Int = 0
    ) -> Step {
        replicas[replica].storeAnswered(
            &decision, result, to: operation,
            stamp: OperationStamp(sentAt: sentAt ?? now, isFromChannelServer: isFromChannelServer), now: now)
    }

    mutating func storeAnsweredInBackground(
        _ result: StoreResult, to operation: StoreOperation, sentAt: Instant? = nil, replica: Int = 0
    ) -> StoreOperation? {
        replicas[replica].storeAnsweredInBackground(
            result, to: operation, stamp: OperationStamp(sentAt: sentAt ?? now), now: now)
    }

    mutating func nextOffer(replica: Int = 0) -> StoreOperation? {
        let mayAsk = storeIsAvailable
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
        var step = replicas[replica].learn(&learning, storeIsAvailable: storeIsAvailable, now: now)
        while case .send(let operation) = step {
            sent.append(operation)
            let said = failure.map { StoreResult.unavailable($0) } ?? store.result(operation, now: now)
            step = replicas[replica].storeAnswered(
                &learning, said, to: operation, stamp: OperationStamp(sentAt: now), now: now)
        }
    }

    /// Tells the store what it has not heard, all of it.
    mutating func offerAll(replica: Int = 0) {
        while var operation = nextOffer(replica: replica) {
            while let next = storeAnsweredInBackground(
                store.result(operation, now: now), to: operation, replica: replica)
            {
                operation = next
            }
        }
    }

    mutating func backendFailed(_ decision: inout Decision, replica: Int = 0) -> Outcome {
        let step = replicas[replica].backendFailed(&decision, storeIsAvailable: storeIsAvailable, now: now)
        return finish(&decision, step, replica: replica)
    }

    mutating func finish(_ decision: inout Decision, _ step: Step, replica: Int = 0) -> Outcome {
        var step = step
        while true {
            switch step {
            case .forward(let route): return .route(route)
            case .refuse(let refusal): return .refusal(refusal)
            case .send(let operation):
                sent.append(operation)
                let said = failure.map { StoreResult.unavailable($0) } ?? store.result(operation, now: now)
                step = result(&decision, said, to: operation, replica: replica)
            }
        }
    }

    private func makeReplica() -> SessionAffinity {
        let coherence = Coherence(primaries: 1)
        let began = now.advanced(byMilliseconds: -Self.generationAge)
        coherence.publish(Coherence.Status(liveUntil: .distantFuture, generationBegan: began, lineage: 0))
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
