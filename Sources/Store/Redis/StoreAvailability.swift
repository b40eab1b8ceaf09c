import Synchronization

/// Whether a store on one event loop would send an operation now, for the loops that forward operations to it. Its loop
/// writes it, all loops read it; neither takes a lock.
final class StoreAvailability: Sendable {
    private let value = Atomic<Bool>(false)

    /// May lag behind the store by one turn of its loop; the store decides again when an operation arrives.
    var isAvailable: Bool { value.load(ordering: .acquiring) }

    func set(_ isAvailable: Bool) { value.store(isAvailable, ordering: .releasing) }
}
