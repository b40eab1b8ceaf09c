/// What an entry is worth beside what the store says.
extension BindingCache.Entry {
    /// Whether it may serve without the store being asked, as long as the channel vouches for when it was confirmed.
    package var maySuffice: Bool { kind == .confirmed && !binding.isTombstone && !isSuspect }

    /// Whether it stands against a record of the same epoch, while its backend is usable: both are of epoch 1 and name
    /// different backends, and who made the record did not know. Either the store had confirmed the entry, and lost
    /// it; or a backend had issued the key: what is dirty at epoch 1 was learnt, for moves have higher epochs.
    package func isUnheard(by record: Binding) -> Bool {
        record.epoch == 1 && !record.isTombstone && kind != .guess && binding.epoch == 1
            && binding.backend != record.backend
    }
}
