/// The best that is known here of a session without the store: by epoch, ties confirmed > hint > dirty > guess.
struct Knowledge {
    enum Origin: Comparable {
        case guess, dirty, hint, confirmed
    }

    let binding: Binding
    let origin: Origin

    init?(entry: BindingCache.Entry?, hint: Hint?) {
        switch (entry.map(Self.init(_:)), hint) {
        case (nil, nil): return nil
        case (let known?, nil): self = known
        case (nil, let hint?): self.init(binding: hint.binding, origin: .hint)
        case (let known?, let hint?):
            let hinted = Self(binding: hint.binding, origin: .hint)
            self = known.outweighs(hinted) ? known : hinted
        }
    }

    /// Made without knowledge: it may fill an empty store, never override a record.
    var isGuess: Bool { binding.epoch == 0 }

    private init(binding: Binding, origin: Origin) {
        self.binding = binding
        self.origin = origin
    }

    private init(_ entry: BindingCache.Entry) {
        binding = entry.binding
        switch entry.kind {
        case .confirmed: origin = .confirmed
        case .dirty: origin = .dirty
        case .guess: origin = .guess
        }
    }

    private func outweighs(_ other: Knowledge) -> Bool {
        binding.epoch == other.binding.epoch ? origin > other.origin : binding.epoch > other.binding.epoch
    }
}
