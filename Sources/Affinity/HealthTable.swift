import Synchronization

/// Which backends of a membership are up, as this replica judges: one flag each, read by all event loops without a
/// lock. All are up at first.
///
/// Flags are read and written without ordering: a loop may learn of a change a moment late, as it may of the change
/// itself.
package final class HealthTable: Sendable {
    package let count: Int
    private let flags: Flags

    package init(count: Int) {
        self.count = count
        flags = Flags(count: count)
    }

    /// False for an index that is not in the table.
    package func isUp(_ index: Int) -> Bool {
        guard index >= 0, index < count else { return false }
        return flags.words[index / 64].load(ordering: .relaxed) & bit(index) == 0
    }

    /// Returns whether it was up.
    @discardableResult
    package func markDown(_ index: Int) -> Bool {
        guard index >= 0, index < count else { return false }
        return flags.words[index / 64].bitwiseOr(bit(index), ordering: .relaxed).oldValue & bit(index) == 0
    }

    /// Returns whether it was down.
    @discardableResult
    package func markUp(_ index: Int) -> Bool {
        guard index >= 0, index < count else { return false }
        return flags.words[index / 64].bitwiseAnd(~bit(index), ordering: .relaxed).oldValue & bit(index) != 0
    }

    private func bit(_ index: Int) -> UInt64 { 1 << UInt64(index % 64) }

    /// Owns the words. A set bit is a backend that is down.
    ///
    /// Unchecked: the pointer never changes and what it points to is atomic.
    private final class Flags: @unchecked Sendable {
        let words: UnsafeMutablePointer<Atomic<UInt64>>
        private let wordCount: Int

        init(count: Int) {
            wordCount = max(1, (count + 63) / 64)
            words = .allocate(capacity: wordCount)
            for word in 0..<wordCount { (words + word).initialize(to: Atomic(0)) }
        }

        deinit {
            words.deinitialize(count: wordCount)
            words.deallocate()
        }
    }
}
