import Synchronization

/// What a replica has found out about one backend of one service: flags that all event loops read and set without a
/// lock. The same object lives for as long as its service has that server, whatever else is reconfigured, so it
/// identifies the backend wherever health is concerned.
///
/// Flags are accessed without ordering: a loop may see a flag change a moment late, just as it may learn late of the
/// event behind it.
package final class BackendState: Sendable {
    /// Why a backend is down, as far as replicas find out on their own.
    package enum DownCause: UInt8, CaseIterable, Sendable {
        case unreachable = 1
        case failing = 2
    }

    private static let down: UInt8 = 1 | 2
    private static let reassignable: UInt8 = 4
    private static let avoided: UInt8 = 8

    private let bits = Atomic<UInt8>(0)
    /// Requests under way, where the backend has a limit.
    package let capacity = BackendCapacity()

    /// Starts as up: no cause is set.
    package init() {}

    /// The causes that this replica has found out, of all ``HealthCauses``.
    package var causes: HealthCauses { HealthCauses(rawValue: all & Self.down) }

    package var isUp: Bool { all & Self.down == 0 }

    /// Whether the fleet agrees that sessions may be reassigned off this backend, which is down here.
    package var mayReassign: Bool { all & Self.reassignable != 0 }

    /// Whether most of the fleet reports the backend as down.
    package var isAvoided: Bool { all & Self.avoided != 0 }

    /// Sets the cause. Returns whether the backend was up before.
    @discardableResult
    package func begin(_ cause: DownCause) -> Bool {
        bits.bitwiseOr(cause.rawValue, ordering: .relaxed).oldValue & Self.down == 0
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

    private var all: UInt8 { bits.load(ordering: .relaxed) }

    private func set(_ mask: UInt8, _ value: Bool) {
        if value {
            bits.bitwiseOr(mask, ordering: .relaxed)
        } else {
            bits.bitwiseAnd(~mask, ordering: .relaxed)
        }
    }
}
