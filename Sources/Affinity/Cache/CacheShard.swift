import Synchronization

/// A part of the cache under one lock: its sets, which of them were ever used, how many entries it holds, and the
/// epochs heard recently.
///
/// A set's memory is not touched until a session is stored in it.
struct CacheShard: ~Copyable {
    /// What the lock guards in addition to the sets' memory. Padded to cache lines of its own.
    struct State: Sendable {
        var occupied = BindingCache.Counts()
        var floors = EpochFloors()
        private let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
            (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    }

    let state = Mutex(State())
    private let sets: UnsafeMutableRawPointer
    private let used: UnsafeMutablePointer<UInt64>
    let setCount: Int

    /// `sets` is memory for `setCount` sets. It need not be initialized.
    init(sets: UnsafeMutableRawPointer, setCount: Int) {
        self.sets = sets
        self.setCount = setCount
        let words = (setCount + 63) / 64
        used = .allocate(capacity: words)
        used.initialize(repeating: 0, count: words)
    }

    deinit { used.deallocate() }

    /// The set at `index`, or nil if none of its slots was ever filled. Call only under the lock.
    func set(at index: Int) -> CacheSet? {
        used[index / 64] & 1 << UInt64(index % 64) != 0 ? CacheSet(sets + index * CacheSet.byteCount) : nil
    }

    /// The set at `index`, initialized as empty at its first use. Call only under the lock.
    func usedSet(at index: Int) -> CacheSet {
        if let set = set(at: index) { return set }
        let memory = sets + index * CacheSet.byteCount
        CacheSet.initialize(memory)
        used[index / 64] |= 1 << UInt64(index % 64)
        return CacheSet(memory)
    }
}
