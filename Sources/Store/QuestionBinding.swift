import Affinity

extension StoreQuestion {
    var fingerprint: Fingerprint {
        switch self {
        case .create(let fingerprint, _, _), .restore(let fingerprint, _, _), .rebind(let fingerprint, _, _, _),
            .touch(let fingerprint, _):
            fingerprint
        }
    }

    /// In milliseconds.
    var lifetime: Int64 {
        switch self {
        case .create(_, _, let lifetime), .restore(_, _, let lifetime), .rebind(_, _, _, let lifetime),
            .touch(_, let lifetime):
            lifetime
        }
    }

    /// The binding that the question asks to write.
    var proposal: Binding? {
        switch self {
        case .create(_, let backend, _): Binding(backend: backend, epoch: 1)
        case .restore(_, let binding, _): binding
        case .rebind(_, let from, let to, _): Binding(backend: to, epoch: from.epoch &+ 1)
        case .touch: nil
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
