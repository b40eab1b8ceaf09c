import Affinity

extension StoreQuestion {
    /// In milliseconds.
    var lifetime: Int64 {
        switch self {
        case .create(_, _, let lifetime), .restore(_, _, let lifetime), .rebind(_, _, _, let lifetime),
            .touch(_, let lifetime):
            lifetime
        }
    }

    /// Whether what it asks to write is a record that every replica would read back. Not so at the end of the
    /// epochs, where a rebind would write a foreign value, nor for a guess.
    var isWritable: Bool {
        guard lifetime > 0 else { return false }
        guard let proposal else { return true }
        return proposal.epoch <= Binding.epochMax && Binding(record: proposal.record) == proposal
    }
}
