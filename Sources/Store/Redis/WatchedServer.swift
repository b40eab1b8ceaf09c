import Affinity
import Synchronization

/// One server to which connections of this replica lead: the shell around ``ServerTrust``, shared by all of them.
///
/// Hearing it and asking whether it is trusted take no lock.
final class WatchedServer: Sendable {
    /// Hearing is noted once in this time, in nanoseconds, so that loops do not contend for the memory.
    private static let resolutionNanoseconds: Int64 = 1_000_000
    /// While a primary is not in use, the Sentinels are asked more than twice in this time.
    private static let roundsMilliseconds = 3 * SentinelTopology.doubtfulIntervalMilliseconds

    let runID: ServerIdentity.RunID
    private let leaseMilliseconds: Int64
    private let trust: Mutex<ServerTrust>
    private let heardAtNanoseconds: Atomic<Int64>
    private let mayBeAsked = Atomic<Bool>(true)
    private let address: Mutex<RedisEndpoint.Address>

    /// - Parameters:
    ///   - address: where it was reached.
    ///   - isNamedBySentinels: whether Sentinels name the primary.
    init(
        _ runID: ServerIdentity.RunID, at address: RedisEndpoint.Address, leaseMilliseconds: Int64,
        isNamedBySentinels: Bool, now: Instant
    ) {
        self.runID = runID
        self.leaseMilliseconds = leaseMilliseconds
        trust = Mutex(ServerTrust(leaseMilliseconds: leaseMilliseconds, isNamedBySentinels: isNamedBySentinels))
        heardAtNanoseconds = Atomic(now.nanoseconds)
        self.address = Mutex(address)
    }

    /// Whether operations and heartbeats may be sent to it.
    var isTrusted: Bool { mayBeAsked.load(ordering: .acquiring) }

    /// Whether it has not answered since it fell silent.
    var isSilent: Bool { trust.withLock { $0.state == .silent } }

    /// When the write that decides whether it is trusted again may be sent. Nil if none is needed.
    var settlesAt: Instant? { trust.withLock { $0.settlesAt } }

    /// Whether it has accepted the write, and no majority of the Sentinels has named it, although all were asked since.
    func lacksMajority(now: Instant) -> Bool {
        trust.withLock { trust in
            guard trust.awaitsSentinels, let settlesAt = trust.settlesAt else { return false }
            return now >= settlesAt.advanced(byMilliseconds: Self.roundsMilliseconds)
        }
    }

    /// Whether nothing that it answers now can restore trust.
    func isUndecided(now: Instant) -> Bool { trust.withLock { $0.isUndecided(now: now) } }

    /// A connection received something from it.
    func heard(_ now: Instant) {
        let before = heardAtNanoseconds.load(ordering: .relaxed)
        guard now.nanoseconds &- before >= Self.resolutionNanoseconds else { return }
        heardAtNanoseconds.store(now.nanoseconds, ordering: .relaxed)
    }

    /// When it will have been silent for a lease, if it owes a reply since `owedSince` and is not heard before.
    func silenceBegins(owedSince: Instant) -> Instant {
        ServerTrust.silenceBegins(owedSince: owedSince, heardAt: heardAt, leaseMilliseconds: leaseMilliseconds)
    }

    /// Whether it falls silent now. True once for each silence.
    func fallsSilent(owedSince: Instant?, now: Instant) -> Bool {
        change { $0.check(owedSince: owedSince, heardAt: heardAt, now: now) }
    }

    /// A connection to it was given up, although a command sent at `owedSince` has no reply.
    func gaveUp(owedSince: Instant, now: Instant) { change { $0.gaveUp(owedSince: owedSince, now: now) } }

    /// It answered the first commands of a new connection to this address.
    func connected(at address: RedisEndpoint.Address, now: Instant) {
        self.address.withLock { $0 = address }
        change { $0.connected(now: now) }
        heard(now)
    }

    /// Whether this is the address at which it was reached last.
    func wasReached(at address: RedisEndpoint.Address) -> Bool { self.address.withLock { $0 } == address }

    /// A majority of the Sentinels, asked at this time, named the server at this address as the primary.
    func named(_ address: RedisEndpoint.Address, askedAt: Instant) {
        guard wasReached(at: address) else { return }
        change { $0.named(askedAt: askedAt) }
    }

    /// It accepted, within the budget, a write that was sent at this time.
    func accepted(writeSentAt: Instant) { change { $0.accepted(writeSentAt: writeSentAt) } }

    private var heardAt: Instant { Instant(nanoseconds: heardAtNanoseconds.load(ordering: .relaxed)) }

    private func change<Result: Sendable>(_ body: (inout ServerTrust) -> Result) -> Result {
        trust.withLock { trust in
            let result = body(&trust)
            mayBeAsked.store(trust.mayBeAsked, ordering: .releasing)
            return result
        }
    }
}
