import Synchronization

/// What is known of the health of a membership's backends: three flags each, read by all event loops without a lock.
/// All are up at first, none may be left, none is avoided.
///
/// *Down* is this replica's own judgement. *May leave* and *avoided* are the fleet's, where replicas share a store; a
/// replica without a fleet judges alone.
///
/// Flags are read and written without ordering: a loop may learn of a change a moment late, as it may of the change
/// itself.
package final class HealthTable: Sendable {
    package let count: Int
    private let alone: Atomic<Bool>
    private let down: Flags
    private let leavable: Flags
    private let avoided: Flags

    /// - Parameter judgesAlone: whether a backend that is down may be left without anybody else having been heard.
    package init(count: Int, judgesAlone: Bool = true) {
        self.count = count
        alone = Atomic(judgesAlone)
        down = Flags(count: count)
        leavable = Flags(count: count)
        avoided = Flags(count: count)
    }

    /// Whether what is down here may be left without the fleet having agreed.
    package var judgesAlone: Bool { alone.load(ordering: .relaxed) }

    /// Whether there is nobody to agree with: no fleet, or a fleet of one.
    package func setJudgesAlone(_ value: Bool) { alone.store(value, ordering: .relaxed) }

    /// False for an index that is not in the table.
    package func isUp(_ index: Int) -> Bool { contains(index) && !down[index] }

    /// Whether this replica may move sessions off the backend: it is down here, and the fleet agrees or this replica
    /// judges alone. False for an index that is not in the table.
    package func mayLeave(_ index: Int) -> Bool {
        contains(index) && down[index] && (judgesAlone || leavable[index])
    }

    /// Whether most of the fleet says that the backend is down, though it is not down here: no target of moves and
    /// detours while there is another.
    package func isAvoided(_ index: Int) -> Bool { contains(index) && avoided[index] }

    /// Returns whether it was up.
    @discardableResult
    package func markDown(_ index: Int) -> Bool {
        contains(index) && !down.set(index, true)
    }

    /// It may not be left any more, until the fleet agrees again. Returns whether it was down.
    @discardableResult
    package func markUp(_ index: Int) -> Bool {
        guard contains(index) else { return false }
        leavable.set(index, false)
        return down.set(index, false)
    }

    /// The fleet's judgement on a backend that is down here. Without effect while it is up.
    package func setMayLeave(_ index: Int, _ value: Bool) {
        if contains(index) { leavable.set(index, value) }
    }

    package func setAvoided(_ index: Int, _ value: Bool) {
        if contains(index) { avoided.set(index, value) }
    }

    private func contains(_ index: Int) -> Bool { index >= 0 && index < count }

    /// One bit for each backend.
    ///
    /// Unchecked: the pointer never changes and what it points to is atomic.
    private final class Flags: @unchecked Sendable {
        private let words: UnsafeMutablePointer<Atomic<UInt64>>
        private let wordCount: Int

        init(count: Int) {
            wordCount = max(1, (count + 63) / 64)
            words = .allocate(capacity: wordCount)
            for word in 0..<wordCount { (words + word).initialize(to: Atomic(0)) }
        }

        /// - Precondition: the index is in the table.
        subscript(_ index: Int) -> Bool {
            words[index / 64].load(ordering: .relaxed) & bit(index) != 0
        }

        /// Returns whether it was set.
        @discardableResult
        func set(_ index: Int, _ value: Bool) -> Bool {
            let old =
                value
                ? words[index / 64].bitwiseOr(bit(index), ordering: .relaxed).oldValue
                : words[index / 64].bitwiseAnd(~bit(index), ordering: .relaxed).oldValue
            return old & bit(index) != 0
        }

        private func bit(_ index: Int) -> UInt64 { 1 << UInt64(index % 64) }

        deinit {
            words.deinitialize(count: wordCount)
            words.deallocate()
        }
    }
}
