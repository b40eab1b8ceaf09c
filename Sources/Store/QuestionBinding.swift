package import Affinity

extension StoreQuestion {
    /// Whether what it asks to write is a record that every replica would read back. Not so at the end of the
    /// epochs, where a rebind would write a foreign value, nor for a guess.
    package var isWritable: Bool {
        guard lifetime > 0, born != 0 else { return false }
        if case .drop(_, let above, _) = self { return above < Binding.epochMax }
        guard let proposal else { return true }
        return proposal.epoch <= Binding.epochMax && Binding(record: proposal.record) == proposal
    }
}
