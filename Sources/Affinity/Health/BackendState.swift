import Synchronization

/// What a replica has found out about one backend of one service: flags that all event loops read and set without a
/// lock. It is the same object for as long as its service has that server, whatever else is configured anew, and so
/// stands for the backend wherever its health is spoken of.
///
/// Flags are read and written without ordering: a loop may learn of a change a moment late, as it may of the change
/// itself.
package final class BackendState: Sendable {
    /// Why a backend is down, as far as replicas find out by themselves.
    package enum DownCause: UInt8, CaseIterable, Sendable {
        case unreachable = 1
        case failing = 2
    }

    private static let down: UInt8 = 1 | 2
    private static let leavable: UInt8 = 4
    private static let avoided: UInt8 = 8

    private let bits = Atomic<UInt8>(0)

    /// Nothing stands against it.
    package init() {}

    /// Of ``HealthCauses`` those that are found out.
    package var causes: HealthCauses { HealthCauses(rawValue: all & Self.down) }

    package var isUp: Bool { all & Self.down == 0 }

    /// Whether the fleet agrees that the backend, which is down here, may be left.
    package var isLeavable: Bool { all & Self.leavable != 0 }

    /// Whether most of the fleet says that the backend is down.
    package var isAvoided: Bool { all & Self.avoided != 0 }

    /// The cause stands from now on. Returns whether the backend was up.
    @discardableResult
    package func begin(_ cause: DownCause) -> Bool {
        bits.bitwiseOr(cause.rawValue, ordering: .relaxed).oldValue & Self.down == 0
    }

    /// The cause stands no more. Where no other does, the backend is up, and may not be left until the fleet agrees
    /// again. Returns whether it came up by this.
    @discardableResult
    package func end(_ cause: DownCause) -> Bool {
        var old = all
        while true {
            var new = old & ~cause.rawValue
            if new & Self.down == 0 { new &= ~Self.leavable }
            let (exchanged, found) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return old & Self.down != 0 && new & Self.down == 0 }
            old = found
        }
    }

    /// The fleet's judgement on a backend that is down here. Without effect while it is up.
    package func setLeavable(_ value: Bool) { set(Self.leavable, value) }

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
