import Synchronization

/// What a replica has found out about one backend of one service: flags that all event loops read and set without a
/// lock. The same object lives for as long as its service has that server, whatever else is reconfigured, so it
/// identifies the backend wherever health is concerned.
///
/// Flags are accessed without ordering: a loop may see a flag change a moment late, just as it may learn late of the
/// event behind it.
package final class BackendState: Sendable {
    /// Why a backend is down. Each is set and cleared by what finds it out; all but the first are the cause *failing*.
    package enum DownCause: UInt8, CaseIterable, Sendable {
        /// Connections fail.
        case unreachable = 1
        /// The health check fails.
        case failing = 2
        /// Requests fail: the passive health check.
        case erring = 16
        /// Its container is unhealthy.
        case unhealthy = 32
    }

    private static let down = DownCause.allCases.reduce(0) { $0 | $1.rawValue }
    private static let failing = down & ~DownCause.unreachable.rawValue
    private static let reassignable: UInt8 = 4
    private static let avoided: UInt8 = 8
    private static let newcomer: UInt8 = 64
    package static let wholeShare: Int64 = 1024

    private let bits = Atomic<UInt8>(0)
    /// Nanoseconds of the instant at which the backend was added or came back.
    private let risen = Atomic<Int64>(Int64.min)
    private let checkReason = Atomic<UInt32>(0)
    private let requestReason = Atomic<UInt32>(0)
    /// What the backend's checks came to.
    package let checkCounts = CheckCounts()
    /// Requests under way, where the backend has a limit.
    package let capacity = BackendCapacity()

    /// Starts as up: no cause is set.
    package init() {}

    /// The causes that this replica has found out, of all ``HealthCauses``.
    package var causes: HealthCauses {
        let all = all
        var causes: HealthCauses = []
        if all & DownCause.unreachable.rawValue != 0 { causes.insert(.unreachable) }
        if all & Self.failing != 0 { causes.insert(.failing) }
        return causes
    }

    /// What makes the backend count as failing; empty if it does not.
    package var failingReasons: [FailingReason] { found.map(\.reason) }

    /// The same for people: what failed, and how.
    package var failures: [String] {
        found.map { cause, reason in
            switch cause {
            case .failing: FailingReason.text(ofCheck: reason)
            case .erring: FailingReason.text(ofRequests: reason)
            case .unreachable, .unhealthy: reason.text
            }
        }
    }

    private var found: [(cause: DownCause, reason: FailingReason)] {
        let all = all
        return [
            (.failing, reason(in: checkReason)), (.erring, reason(in: requestReason)), (.unhealthy, .container),
        ].filter { all & $0.0.rawValue != 0 }
    }

    package func has(_ cause: DownCause) -> Bool { all & cause.rawValue != 0 }

    package var isUp: Bool { all & Self.down == 0 }

    /// Whether the fleet agrees that sessions may be reassigned off this backend, which is down here.
    package var mayReassign: Bool { all & Self.reassignable != 0 }

    /// Whether most of the fleet reports the backend as down.
    package var isAvoided: Bool { all & Self.avoided != 0 }

    /// Whether the backend was added while the replica runs and waits for its first good check: no new sessions are
    /// placed on it while another backend can take them.
    package var isNewcomer: Bool { all & Self.newcomer != 0 }

    package func setNewcomer(_ value: Bool) { set(Self.newcomer, value) }

    /// Whether the backend is down and would be up without this cause.
    package func isDown(only cause: DownCause) -> Bool { all & Self.down == cause.rawValue }

    /// The backend is added or comes back at this time: from now on it starts slowly, where that is configured. Call it
    /// before the backend counts as up.
    package func setRisen(at now: Instant) { risen.store(now.nanoseconds, ordering: .relaxed) }

    /// How much of its share of new sessions a backend that was added or came back is given, in 1024ths: it grows
    /// linearly, from 1 % to all of it.
    package func share(slowStartMilliseconds: Int64, now: Instant) -> Int64 {
        let elapsed = now.milliseconds(since: Instant(nanoseconds: risen.load(ordering: .relaxed)))
        guard slowStartMilliseconds > 0, elapsed < slowStartMilliseconds else { return Self.wholeShare }
        return max(Self.wholeShare / 100, Self.wholeShare * max(0, elapsed) / slowStartMilliseconds)
    }

    /// Sets the cause. Returns whether the backend was up before.
    ///
    /// - Parameter reason: for the causes found out by checks and by requests.
    @discardableResult
    package func begin(_ cause: DownCause, by reason: FailingReason? = nil) -> Bool {
        if let reason, cause == .failing { checkReason.store(reason.code, ordering: .relaxed) }
        if let reason, cause == .erring { requestReason.store(reason.code, ordering: .relaxed) }
        return bits.bitwiseOr(cause.rawValue, ordering: .relaxed).oldValue & Self.down == 0
    }

    /// Clears the cause. If no other cause is set, the backend is up, and its sessions may not be reassigned until the
    /// fleet agrees again. Returns whether this call brought it up.
    @discardableResult
    package func end(_ cause: DownCause) -> Bool {
        var old = all
        while true {
            var new = old & ~cause.rawValue
            if new & Self.down == 0 { new &= ~Self.reassignable }
            let (exchanged, found) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return old & Self.down != 0 && new & Self.down == 0 }
            old = found
        }
    }

    /// The fleet's judgement on a backend that is down here. Without effect while the backend is up.
    package func setMayReassign(_ value: Bool) { set(Self.reassignable, value) }

    package func setAvoided(_ value: Bool) { set(Self.avoided, value) }

    private func reason(in code: borrowing Atomic<UInt32>) -> FailingReason {
        FailingReason(code: code.load(ordering: .relaxed)) ?? .unknown
    }

    private var all: UInt8 { bits.load(ordering: .relaxed) }

    private func set(_ mask: UInt8, _ value: Bool) {
        if value {
            bits.bitwiseOr(mask, ordering: .relaxed)
        } else {
            bits.bitwiseAnd(~mask, ordering: .relaxed)
        }
    }
}
